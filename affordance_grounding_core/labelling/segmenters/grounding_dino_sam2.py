"""Segmenter: Grounding DINO finds parts as boxes, SAM 2 outlines them."""

from __future__ import annotations

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
    GROUNDING_DINO,
    SAM2,
    ModelSource,
    transformers_module,
)


class GroundingDinoSam2Segmenter(torch.nn.Module):
    """Boxes of a grounding detector, then the mask that SAM 2 gives to each.

    Args:
        detector: `transformers.GroundingDinoForObjectDetection`.
        detector_processor: `transformers.GroundingDinoProcessor`.
        outliner: `transformers.Sam2Model`.
        outliner_processor: `transformers.Sam2Processor`.
        rule: which boxes count.
        name: name of the weights, with their revisions.
        prompt_batch: how many sets of phrases go through the detector at once.
    """

    def __init__(
        self,
        detector: Any,
        detector_processor: Any,
        outliner: Any,
        outliner_processor: Any,
        rule: SelectionRule = SelectionRule(),  # noqa: B008  frozen
        name: str = "",
        prompt_batch: int = 4,
    ) -> None:
        super().__init__()
        self.detector = detector.requires_grad_(False).eval()
        self.detector_processor = detector_processor
        self.outliner = outliner.requires_grad_(False).eval()
        self.outliner_processor = outliner_processor
        self.rule = rule
        self.name = name
        self.prompt_batch = prompt_batch

    @classmethod
    def from_source(cls, source: ModelSource, rule: SelectionRule) -> GroundingDinoSam2Segmenter:
        """Load the pinned weights.

        Raises:
            WeightsError: they cannot be had.
            RuntimeUnavailableError: transformers is not installed.
        """
        library = transformers_module()
        detector = library.GroundingDinoForObjectDetection.from_pretrained
        name = f"{source.resolve(GROUNDING_DINO).identity} + {source.resolve(SAM2).identity}"
        return cls(
            source.load(GROUNDING_DINO, detector, use_safetensors=True),
            source.load(GROUNDING_DINO, library.GroundingDinoProcessor.from_pretrained),
            source.load(SAM2, library.Sam2Model.from_pretrained, use_safetensors=True),
            source.load(SAM2, library.Sam2Processor.from_pretrained),
            rule,
            name,
        )

    @property
    def identity(self) -> Mapping[str, str]:
        """Models with their revisions, and the rule."""
        return {"segmenter": "grounding-dino+sam2", "model": self.name, "rule": repr(self.rule)}

    @torch.no_grad()
    def segment(
        self, images: Sequence[NDArray[np.uint8]], prompts: Sequence[Sequence[Phrases]]
    ) -> list[list[Segmentation]]:
        """Look for phrases in images; see `PartSegmenter.segment`."""
        boxes = self._detect(images, prompts)
        if not any(len(scores) for groups in boxes for _, scores in groups):
            return [
                [no_detection(*image.shape[:2]) for _ in groups]
                for image, groups in zip(images, boxes, strict=True)
            ]
        device = next(self.outliner.parameters()).device
        pixels = self.outliner_processor(images=list(images), return_tensors="pt")["pixel_values"]
        encoded = self.outliner.get_image_embeddings(pixels.to(device))
        return [
            [self._outline(encoded, index, image, *detection) for detection in boxes[index]]
            for index, image in enumerate(images)
        ]

    def _detect(
        self, images: Sequence[NDArray[np.uint8]], prompts: Sequence[Sequence[Phrases]]
    ) -> list[list[tuple[NDArray[np.float32], NDArray[np.float32]]]]:
        """Boxes (K, 4) and scores (K,) of every image and set of phrases."""
        device = next(self.detector.parameters()).device
        questions = [(image, group) for image, groups in enumerate(prompts) for group in groups]
        found: list[list[tuple[NDArray[np.float32], NDArray[np.float32]]]] = [[] for _ in images]
        for start in range(0, len(questions), self.prompt_batch):
            part = questions[start : start + self.prompt_batch]
            inputs = self.detector_processor(
                images=[images[image] for image, _ in part],
                # The form the detector was trained on: lower case, each phrase ended by a stop.
                text=[" ".join(f"{phrase.lower()}." for phrase in group) for _, group in part],
                return_tensors="pt",
                padding=True,
            ).to(device)
            results = self.detector_processor.post_process_grounded_object_detection(
                self.detector(**inputs),
                inputs["input_ids"],
                threshold=self.rule.minimum,
                target_sizes=[images[image].shape[:2] for image, _ in part],
            )
            for (image, _), result in zip(part, results, strict=True):
                found[image].append(self._choose(result, *images[image].shape[:2]))
        return found

    def _choose(
        self, result: Mapping[str, Any], height: int, width: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        scores = np.asarray(result["scores"].float().cpu().numpy(), np.float32)
        boxes = np.asarray(result["boxes"].float().cpu().numpy(), np.float32).reshape(-1, 4)
        chosen = self.rule.choose(scores)
        boxes, scores = clip_boxes(boxes[chosen], height, width), scores[chosen]
        # A box outside the picture has nothing to outline.
        kept = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf) >= 1
        return boxes[kept], scores[kept]

    def _outline(
        self,
        encoded: Sequence[torch.Tensor],
        index: int,
        image: NDArray[np.uint8],
        boxes: NDArray[np.float32],
        scores: NDArray[np.float32],
    ) -> Segmentation:
        height, width = image.shape[:2]
        if not len(scores):
            return no_detection(height, width)
        size = torch.tensor([[height, width]])
        prompt = self.outliner_processor(
            images=None, input_boxes=[boxes.tolist()], original_sizes=size, return_tensors="pt"
        )
        outputs = self.outliner(
            image_embeddings=[level[index : index + 1] for level in encoded],
            input_boxes=prompt["input_boxes"].to(encoded[0].device),
            multimask_output=False,
        )
        (masks,) = self.outliner_processor.post_process_masks(
            outputs.pred_masks.float().cpu(), size
        )
        return Segmentation(boxes, scores, masks[:, 0].numpy())
