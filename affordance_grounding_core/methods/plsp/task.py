"""Lightning module that trains WSAG-PLSP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from affordance_grounding_core.backbones.weights import tensor_fingerprint
from affordance_grounding_core.evaluation.protocols import (
    PROTOCOL_SIZE,
    PROTOCOLS,
    MapScore,
)
from affordance_grounding_core.inference.heat_calibration import HeatCalibration
from affordance_grounding_core.labelling.part_names import PartNames, load_part_names
from affordance_grounding_core.methods.plsp.checkpoint import EncoderReference
from affordance_grounding_core.methods.plsp.config import (
    PartNameConfig,
    PlspLossConfig,
    PlspOptimiserConfig,
    PlspSizes,
)
from affordance_grounding_core.methods.plsp.dataset import InputFormat, Item
from affordance_grounding_core.methods.plsp.encoders import (
    ClipTokens,
    Dinov2Tokens,
    EncoderConfig,
    ImageEncoder,
    encode_actions,
    encode_objects,
    encode_parts,
    load_encoder,
    name_codes,
)
from affordance_grounding_core.methods.plsp.losses import (
    PlspLoss,
    alignment_loss,
    distribution_loss,
    exocentric_tokens,
    text_loss,
    weighted_loss,
)
from affordance_grounding_core.methods.plsp.network import (
    PlspAnswer,
    PlspHeatNetwork,
    PlspNetwork,
)
from affordance_grounding_core.training.epoch_score import EpochScore
from affordance_grounding_core.training.scored_task import ScoredTask


@dataclass(frozen=True)
class PlspScore(EpochScore):
    """Mean scores of an epoch.

    Attributes:
        plsp: under the paper's own protocol.
        locate: under that of LOCATE, the same maps.
    """

    plsp: MapScore
    locate: MapScore


def protocol_heat(logits: torch.Tensor) -> torch.Tensor:
    """Bring logits to the distribution that the paper scores: bilinear to 224, then softmax.

    Args:
        logits: (K, 1, h, w).

    Returns:
        (K, 224, 224), each of sum 1.
    """
    size = (PROTOCOL_SIZE, PROTOCOL_SIZE)
    large = functional.interpolate(logits.float(), size, mode="bilinear", align_corners=False)
    return large.flatten(1).softmax(1).reshape(-1, *size)


def score_heat(heat: torch.Tensor, truths: torch.Tensor) -> list[tuple[MapScore, MapScore]]:
    """Score distributions under both protocols.

    Args:
        heat: (K, 224, 224); see `protocol_heat`.
        truths: (K, 224, 224), resized, of any scale.

    Returns:
        K of (plsp, locate).
    """
    return [
        (_score("plsp", one, truth), _score("locate", one, truth))
        for one, truth in zip(heat.cpu().numpy(), truths.cpu().numpy(), strict=True)
    ]


def _score(name: str, heat: NDArray[np.float32], truth: NDArray[np.float64]) -> MapScore:
    protocol = PROTOCOLS[name]
    return protocol.score(
        protocol.prepare_prediction(heat),
        protocol.prepare_ground_truth(np.asarray(truth, np.float32)),
    )


_TERMS = ("distribution", "alignment", "exocentric", "noun", "part")


class PlspTask(ScoredTask):
    """Trains a `PlspNetwork` on part labels and images of people.

    Args:
        actions: vocabulary; the order is that of the exocentric classifier.
        encoder: encoder of the images.
        sizes: sizes of the network.
        loss: weights of its terms.
        optimiser: rates.
        part_names: source of the names of parts; not used without a text encoder.
        size: side in px of the square input of training.
        selection: name of the scores, "test" or "validation"; see `PlspData`.
        seed: seed of the first weights and of the paths that are dropped.
    """

    score_type = PlspScore
    watched = "plsp_kld"
    trained_part = "network"
    frozen_prefix = "frozen."

    def __init__(
        self,
        actions: list[str],
        encoder: EncoderConfig = EncoderConfig(),  # noqa: B008  frozen
        sizes: PlspSizes = PlspSizes(),  # noqa: B008  frozen
        loss: PlspLossConfig = PlspLossConfig(),  # noqa: B008  frozen
        optimiser: PlspOptimiserConfig = PlspOptimiserConfig(),  # noqa: B008  frozen
        part_names: PartNameConfig = PartNameConfig(),  # noqa: B008  frozen
        size: int = 224,
        selection: str = "test",
        seed: int = 0,
    ) -> None:
        super().__init__(actions, selection, seed)
        self.encoder_config = encoder
        self.loss = loss
        self.optimiser = optimiser
        self.part_names = part_names
        loaded = load_encoder(encoder, size)
        self._text = [loaded.text]  # in a list, so that it is no part of the module
        trained = loaded.image if isinstance(loaded.image, ClipTokens) else None
        self.frozen = loaded.image if isinstance(loaded.image, Dinov2Tokens) else None
        self.config = sizes.network(len(actions), loaded.image.output_width)
        self.input_format = InputFormat(size, encoder.patch_size, *encoder.normalisation)
        cells = self.input_format.cells
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = PlspNetwork(self.config, trained, (cells, cells))
            learned = torch.randn(len(actions), self.config.width)
        vectors = learned if loaded.text is None else encode_actions(loaded.text, self.actions)
        self.action_vectors = nn.Parameter(vectors, requires_grad=loaded.text is None)
        self._targets: tuple[torch.Tensor, torch.Tensor] | None = None

    @property
    def encoder(self) -> ImageEncoder:
        """Encoder of the images, trained or not."""
        if self.frozen is not None:
            return self.frozen
        if not isinstance(self.network.encoder, ClipTokens):
            raise RuntimeError("this task has no encoder")
        return self.network.encoder

    def train(self, mode: bool = True) -> PlspTask:
        """Train, but keep a frozen encoder in evaluation mode."""
        super().train(mode)
        if self.frozen is not None:
            self.frozen.eval()
        return self

    def on_fit_start(self) -> None:
        """Make the vectors of the objects and parts that the data has.

        Raises:
            PartNameError: a part has no name.
        """
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        self.know(data.training.objects, data.training.pairs)

    def know(self, objects: list[str], pairs: list[tuple[str, str]]) -> None:
        """Set what the numbers of objects and parts in a batch mean.

        Raises:
            PartNameError: a part has no name.
        """
        (text,) = self._text
        if text is None:
            names = [f"{action} {name}" for action, name in pairs]
            width = self.config.width
            self._targets = name_codes(objects, width), name_codes(names, width)
        else:
            parts = encode_parts(text, pairs, self._load_part_names())
            self._targets = encode_objects(text, objects), parts

    def tokens(self, batch: Item, name: str) -> torch.Tensor:
        """Encode images, or take their tokens from the batch, at the network's width.

        Args:
            batch: batch with "pixels" or "tokens" of that name's beginning.
            name: "" or "people_".

        Returns:
            (..., 1 + N, width).
        """
        if f"{name}tokens" in batch:
            raw = batch[f"{name}tokens"].flatten(0, -3).to(self.action_vectors.dtype)
        elif self.frozen is None:
            raise RuntimeError("a trained encoder looks at all images of a batch together")
        else:
            with torch.no_grad():
                raw = self.frozen(batch[f"{name}pixels"].flatten(0, -4))
        projected: torch.Tensor = self.network.token_projection(raw)
        return projected

    def answer(self, batch: Item) -> tuple[PlspAnswer, torch.Tensor | None]:
        """Ground the action of every image.

        Returns:
            What the network says, and the tokens of the people (B * E, 1 + N, width) if any.
        """
        cells = self.input_format.cells
        has_people = "object_masks" in batch
        if self.frozen is None and "pixels" in batch:
            # One run of the encoder is quicker than two.
            shown = [batch["pixels"]]
            if has_people:
                shown.append(batch["people_pixels"].flatten(0, 1))
            together, _, _ = self.network.encode(torch.cat(shown))
            tokens, people = together[: len(shown[0])], together[len(shown[0]) :]
        else:
            tokens = self.tokens(batch, "")
            people = self.tokens(batch, "people_") if has_people else tokens[:0]
        vectors = self.action_vectors[batch["action"]]
        answer = self.network.ground(tokens, vectors, cells, cells)
        return answer, people if has_people else None

    def compute_loss(self, batch: Item) -> PlspLoss:
        """Compute all terms of the loss of a batch."""
        if self._targets is None:
            raise RuntimeError("`know` must run before the first loss")
        answer, people = self.answer(batch)
        alignment = classified = None
        if people is not None:
            masks = batch["object_masks"].flatten(0, 1)
            objects = exocentric_tokens(people, masks)
            alignment = alignment_loss(answer.affordance, objects, self.loss.margin)
            repeated = batch["action"].repeat_interleave(batch["object_masks"].shape[1])
            classified = functional.cross_entropy(self.network.classify(objects), repeated)
        nouns, parts = (target.to(self.device) for target in self._targets)
        quirks = self.loss.published_quirks
        return weighted_loss(
            distribution_loss(answer.logits, batch["label"]),
            alignment,
            classified,
            text_loss(answer.noun, nouns[batch["object"]], quirks),
            text_loss(answer.part, parts[batch["pair"]], quirks),
            self.loss,
        )

    def on_train_batch_start(self, batch: Item, batch_idx: int) -> None:
        """Make the paths that are dropped depend on nothing but the place in the run."""
        torch.manual_seed(self.step_seed(batch_idx))

    def training_step(self, batch: Item, batch_index: int) -> torch.Tensor:
        """Compute the loss of one batch.

        Raises:
            TrainingError: it is not finite; the images of the batch are named.
        """
        self.begin_batch(batch, batch_index)
        loss = self.compute_loss(batch)
        terms = {name: getattr(loss, name) for name in _TERMS}
        self.require_finite(loss.total, terms)
        count = len(batch["action"])
        self.log_training({"loss": loss.total}, count, progress=True)
        self.log_training(terms, count)
        return loss.total

    def validation_step(self, batch: Item, batch_index: int) -> dict[str, torch.Tensor]:
        """Score the heat of every image; the maps are handed on to be drawn."""
        answer, _ = self.answer(batch)
        heat = protocol_heat(answer.logits)
        self.keep_scores(batch, score_heat(heat, batch["ground_truth"]))
        return {"index": batch["index"], "maps": heat}

    def heat_network(self) -> PlspHeatNetwork:
        """Build the network that runs at inference, with the present weights and no calibration.

        A frozen encoder computes in float32 there, whatever the precision of training.
        """
        network = self.network
        if self.frozen is not None:
            encoder = Dinov2Tokens(self.frozen.backbone, self.input_format.size)
            cells = self.input_format.cells
            network = PlspNetwork(self.config, encoder, (cells, cells))
            frozen = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
            network.load_state_dict({**self.network.state_dict(), **frozen})
        return PlspHeatNetwork(network, self.action_vectors, HeatCalibration())

    def encoder_reference(self) -> EncoderReference:
        """Name the encoder, with the hash of its weights where they stay out of checkpoints."""
        name, encoder = self.encoder_config.name, self.encoder
        if isinstance(encoder, ClipTokens):
            return EncoderReference(name, embedded=True, heads=encoder.heads)
        fingerprint = tensor_fingerprint(encoder.state_dict())
        return EncoderReference(name, embedded=False, fingerprint=fingerprint)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW, the encoder at its own rate."""
        encoder = {id(p) for p in self.encoder.parameters()}
        trained = [p for p in self.parameters() if p.requires_grad]
        rate = self.optimiser.learning_rate
        groups: list[dict[str, Any]] = [
            {"params": [p for p in trained if id(p) not in encoder], "name": "rest"},
            {
                "params": [p for p in trained if id(p) in encoder],
                "lr": rate * self.optimiser.encoder_factor,
                "name": "encoder",
            },
        ]
        return torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=rate,
            betas=self.optimiser.betas,
            weight_decay=self.optimiser.weight_decay,
        )

    def _load_part_names(self) -> PartNames:
        options = self.part_names
        file = Path(options.file).expanduser() if options.file else None
        style: Any = options.style
        return load_part_names(style, file, options.parts, self.actions)
