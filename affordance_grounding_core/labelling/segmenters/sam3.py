"""Segmenter: SAM 3 segments every instance of a phrase."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from affordance_grounding_core.labelling.segmenters.base import (
    Phrases,
    Segmentation,
    SelectionRule,
    clip_boxes,
    no_detection,
)
from affordance_grounding_core.labelling.segmenters.models import (
    SAM3,
    ModelSource,
    transformers_module,
)


class Sam3Segmenter(torch.nn.Module):
    """Asks SAM 3 for one phrase after the other; a picture is encoded once for all of them.

    Args:
        model: `transformers.Sam3Model`.
        processor: `transformers.Sam3Processor`.
        rule: which detections count; the phrases of one set compete with each other.
        name: name of the weights, with their revision.
        phrase_batch: how many phrases are decoded at once.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        rule: SelectionRule = SelectionRule(),  # noqa: B008  frozen
        name: str = "",
        phrase_batch: int = 8,
    ) -> None:
        super().__init__()
        self.model = model.requires_grad_(False).eval()
        self.processor = processor
        self.rule = rule
        self.name = name
        self.phrase_batch = phrase_batch

    @classmethod
    def from_source(cls, source: ModelSource, rule: SelectionRule) -> Sam3Segmenter:
        """Load the pinned weights.

        Raises:
            WeightsError: they cannot be had.
            RuntimeUnavailableError: transformers is not installed.
        """
        transformers = transformers_module()
        model = source.load(SAM3, transformers.Sam3Model.from_pretrained, use_safetensors=True)
        processor = source.load(SAM3, transformers.Sam3Processor.from_pretrained)
        return cls(model, processor, rule, source.resolve(SAM3).identity)

    @property
    def identity(self) -> Mapping[str, str]:
        """Model with its revision, and the rule."""
        return {"segmenter": "sam3", "model": self.name, "rule": repr(self.rule)}

    @torch.no_grad()
    def segment(
        self, images: Sequence[NDArray[np.uint8]], prompts: Sequence[Sequence[Phrases]]
    ) -> list[list[Segmentation]]:
        """Look for phrases in images; see `PartSegmenter.segment`."""
        device = next(self.model.parameters()).device
        pixels = self.processor(images=list(images), return_tensors="pt")["pixel_values"]
        encoded = self.model.vision_encoder(pixels.to(device))
        questions = [
            (image, group, phrase)
            for image, groups in enumerate(prompts)
            for group, phrases in enumerate(groups)
            for phrase in phrases
        ]
        found: dict[tuple[int, int], list[_Candidates]] = {}
        for start in range(0, len(questions), self.phrase_batch):
            part = questions[start : start + self.phrase_batch]
            texts = self.processor(text=[phrase for _, _, phrase in part], return_tensors="pt")
            outputs = self.model(
                vision_embeds=_rows(encoded, [image for image, _, _ in part]),
                input_ids=texts["input_ids"].to(device),
                attention_mask=texts["attention_mask"].to(device),
            )
            for row, (image, group, _) in enumerate(part):
                found.setdefault((image, group), []).append(_Candidates(outputs, row))
        return [
            [
                self._choose(found.get((index, group), []), *image.shape[:2])
                for group in range(len(prompts[index]))
            ]
            for index, image in enumerate(images)
        ]

    def _choose(self, candidates: Sequence[_Candidates], height: int, width: int) -> Segmentation:
        if not candidates:
            return no_detection(height, width)
        scores = np.concatenate([candidate.scores for candidate in candidates])
        chosen = self.rule.choose(scores)
        if not len(chosen):
            return no_detection(height, width)
        boxes = torch.cat([candidate.boxes for candidate in candidates])[chosen]
        masks = torch.cat([candidate.masks for candidate in candidates])[chosen]
        # Only the chosen masks are brought to the picture's size: there are hundreds of others.
        resized = torch.nn.functional.interpolate(
            masks[None].sigmoid(), size=(height, width), mode="bilinear", align_corners=False
        )[0]
        scale = np.array([width, height, width, height], np.float32)
        return Segmentation(
            clip_boxes(boxes.numpy() * scale, height, width),
            scores[chosen],
            (resized > 0.5).numpy(),
        )


class _Candidates:
    """All queries of one phrase in one picture, on the CPU: scores, boxes in [0, 1], masks."""

    def __init__(self, outputs: Any, row: int) -> None:
        # A query counts if it is an instance of the phrase and the phrase is present at all.
        presence = outputs.presence_logits[row].float().sigmoid()
        scores = outputs.pred_logits[row].float().sigmoid() * presence
        self.scores = np.asarray(scores.cpu().numpy(), np.float32)
        self.boxes: torch.Tensor = outputs.pred_boxes[row].float().cpu()
        self.masks: torch.Tensor = outputs.pred_masks[row].float().cpu()


def _rows(encoded: Any, indices: Sequence[int]) -> Any:
    """Repeat the encodings of pictures, one for each question about them."""

    def take(values: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        # Position tables may be shared by all pictures of a batch: then there is one row.
        return tuple(value[[min(index, len(value) - 1) for index in indices]] for value in values)

    return dataclasses.replace(
        encoded,
        fpn_hidden_states=take(encoded.fpn_hidden_states),
        fpn_position_encoding=take(encoded.fpn_position_encoding),
    )
