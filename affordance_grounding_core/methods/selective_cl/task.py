"""Lightning module that trains SelectiveCL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig

from affordance_grounding_core.backbones.weights import tensor_fingerprint
from affordance_grounding_core.evaluation.protocols import LocateProtocol, MapScore
from affordance_grounding_core.inference.heat_calibration import HeatCalibration
from affordance_grounding_core.methods.selective_cl import frozen_backbones as frozen
from affordance_grounding_core.methods.selective_cl.affinity_sources import (
    PUBLISHED_HEADS,
    ActionTexts,
    AffinityProvider,
    ClipAffinity,
    SaliencyAffinity,
    encode_actions,
)
from affordance_grounding_core.methods.selective_cl.config import (
    BackboneReference,
    ObjectiveConfig,
    OptimiserConfig,
    SelectiveHeadConfig,
    build_optimiser,
)
from affordance_grounding_core.methods.selective_cl.frozen_backbones import FrozenFeatures
from affordance_grounding_core.methods.selective_cl.network import (
    MapConfig,
    ProvidedAffinity,
    SelectiveHead,
    SelectiveNetwork,
    TextAffinity,
    calibrate_maps,
)
from affordance_grounding_core.methods.selective_cl.objective import selective_objective
from affordance_grounding_core.methods.selective_cl.samples import Item, PartLabels
from affordance_grounding_core.training.epoch_score import EpochScore
from affordance_grounding_core.training.scored_task import ScoredTask


@dataclass(frozen=True)
class SelectiveScore(EpochScore):
    """Mean scores of an epoch under the protocol "locate".

    Attributes:
        plain: scores of the class maps.
        calibrated: scores of the class maps times the min-maxed affinity, the published output.
    """

    plain: MapScore
    calibrated: MapScore


def single(features: FrozenFeatures, index: int) -> FrozenFeatures:
    """Pick one image out of a batch."""

    def pick(values: torch.Tensor | None) -> torch.Tensor | None:
        return None if values is None else values[index : index + 1]

    return FrozenFeatures(
        features.descriptors[index : index + 1],
        pick(features.class_attention),
        pick(features.clip_tokens),
        features.rows,
        features.columns,
    )


@torch.no_grad()
def maps_with_affinity(
    head: SelectiveHead,
    provider: AffinityProvider,
    features: FrozenFeatures,
    actions: torch.Tensor,
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Map some images, each for actions of its own.

    Args:
        head: trained or not.
        provider: source of affinity.
        features: features of B images.
        actions: (B, K) int64.

    Returns:
        For each image, its class maps and its affinities in [0, 1], (K, rows, columns) each.
    """
    maps = head(features.descriptors, features.rows, features.columns).float()
    return [
        (maps[index, wanted], provider.affinity(single(features, index), wanted).float())
        for index, wanted in enumerate(actions)
    ]


def score_maps(
    maps: Sequence[torch.Tensor], truths: torch.Tensor, protocol: LocateProtocol
) -> list[MapScore]:
    """Score raw maps of any resolution.

    Args:
        maps: B of (rows, columns).
        truths: (B, 224, 224), prepared.
        protocol: "locate".
    """
    predictions = [
        protocol.prepare_prediction(one.cpu().numpy().astype(np.float32)) for one in maps
    ]
    return [
        protocol.score(prediction, truth.cpu().numpy())
        for prediction, truth in zip(predictions, truths, strict=True)
    ]


class SelectiveTask(ScoredTask):
    """Trains a `SelectiveHead` on what frozen backbones say of images.

    Args:
        actions: vocabulary, in the order of the head's channels.
        backbones: frozen, with the source of affinity.
        objective: options of part discovery and of the losses.
        optimiser: rates and schedule.
        hidden: channels inside the projection MLP.
        skip: whether descriptors are added to their projection, as in LOCATE.
        maps: calibration by affinity of the class maps that are scored and stored.
        selection: name of the scores, "test" or "validation"; see `SelectiveData`.
        seed: seed of k-means and of the head's first weights.
    """

    score_type = SelectiveScore
    watched = "calibrated_kld"
    trained_part = "head"
    frozen_prefix = "backbones."

    def __init__(
        self,
        actions: list[str],
        backbones: frozen.BackboneConfig = frozen.BackboneConfig(),  # noqa: B008  frozen
        objective: ObjectiveConfig = ObjectiveConfig(),  # noqa: B008  frozen
        optimiser: OptimiserConfig = OptimiserConfig(),  # noqa: B008  frozen
        hidden: int = 1536,
        skip: bool = False,
        maps: MapConfig = MapConfig(),  # noqa: B008  frozen
        selection: str = "test",
        seed: int = 0,
    ) -> None:
        super().__init__(actions, selection, seed)
        self.backbone_config = backbones
        self.objective = objective
        self.optimiser = optimiser
        self.maps = maps
        loaded = frozen.load_backbones(backbones)
        self.backbones = loaded.backbones
        self.texts = encode_actions(loaded.clip, actions) if loaded.clip else None
        self.provider = build_provider(backbones, self.texts)
        self.config = SelectiveHeadConfig(
            len(actions), int(self.backbones.descriptor.width), hidden, skip
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = SelectiveHead(self.config)
        self._protocol = LocateProtocol()

    def features(self, batch: Item) -> FrozenFeatures:
        """Run the frozen backbones, or take what the cache holds.

        Args:
            batch: batch with "pixels" (B, I, 3, h, w), or with features by name (B, I, ...).

        Returns:
            Features of B * I images, image b * I + i, in the precision of the head.
        """
        if "pixels" in batch:
            found: FrozenFeatures = self.backbones(batch["pixels"].flatten(0, 1))
            return found
        flat = {
            name: batch[name].flatten(0, 1).float()
            for name in ("descriptors", "class_attention", "clip_tokens")
            if name in batch
        }
        side = int(flat["descriptors"].shape[1] ** 0.5)
        return FrozenFeatures(
            flat["descriptors"], flat.get("class_attention"), flat.get("clip_tokens"), side, side
        )

    def training_step(self, batch: Item, batch_index: int) -> torch.Tensor:
        """Compute the loss of one batch.

        Raises:
            TrainingError: it is not finite; the images of the batch are named.
        """
        labels = batch["label"]
        self.begin_batch(batch, batch_index)
        egocentric, exocentric = split_views(self.features(batch), len(labels))
        output = selective_objective(
            self.head,
            egocentric,
            exocentric,
            labels,
            self.current_epoch,
            self.provider,
            self.objective,
            torch.Generator().manual_seed(self.step_seed(batch_index)),
            parts=part_labels(batch),
        )
        self.require_finite(output.total, output.losses)
        accuracy = (output.egocentric_logits.argmax(dim=1) == labels).float().mean()
        self.log_training({"loss": output.total, "accuracy": accuracy}, len(labels), progress=True)
        self.log_training(output.losses, len(labels))
        self.log_training(output.diagnostics, len(labels))
        return output.total

    def validation_step(self, batch: Item, batch_index: int) -> dict[str, Any]:
        """Score the class map of every image, plain and calibrated by affinity.

        Returns:
            "index" of the images and "maps", their calibrated maps, for pictures.
        """
        features, labels = self.features(batch), batch["label"]
        found = maps_with_affinity(self.head, self.provider, features, labels[:, None])
        plain = [maps[0] for maps, _ in found]
        calibrated = [calibrate_maps(maps, affinity, self.maps)[0] for maps, affinity in found]
        truths = batch["ground_truth"]
        scores = zip(
            score_maps(plain, truths, self._protocol),
            score_maps(calibrated, truths, self._protocol),
            strict=True,
        )
        self.keep_scores(batch, scores)
        return {"index": batch["index"], "maps": calibrated}

    def heat_network(self) -> SelectiveNetwork:
        """Build the network that runs at inference, with the present weights and no calibration.

        The backbones compute in float32 there, whatever the precision of training.
        """
        affinity: TextAffinity | ProvidedAffinity
        if self.texts is None:
            affinity = ProvidedAffinity(SaliencyAffinity(), needs_attention=False)
        else:
            affinity = TextAffinity(self.texts.action)
        backbones = frozen.FrozenBackbones(self.backbones.descriptor, self.backbones.clip)
        return SelectiveNetwork(backbones, self.head, affinity, self.maps, HeatCalibration())

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The published optimiser, over the head alone."""
        optimiser, schedule = build_optimiser(self.head, self.optimiser)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule}}

    def backbone_reference(self) -> BackboneReference:
        """Name the frozen backbones, with the hashes of their weights."""
        clip = self.backbones.clip
        return BackboneReference(
            descriptor=self.backbone_config.descriptor,
            affinity=self.backbone_config.affinity,
            descriptor_fingerprint=tensor_fingerprint(
                self.backbones.descriptor.transformer.state_dict()
            ),
            clip_fingerprint=tensor_fingerprint(clip.state_dict()) if clip is not None else None,
        )


def part_labels(batch: Item) -> PartLabels | None:
    """Part labels of a batch, None where the data has none."""
    if "part_map" not in batch:
        return None
    return PartLabels(batch["part_map"], batch["part_known"])


def split_views(features: FrozenFeatures, batch: int) -> tuple[FrozenFeatures, FrozenFeatures]:
    """Part the egocentric image of each sample from its exocentric ones.

    Args:
        features: features of B * (1 + E) images, the egocentric one of each sample first.
        batch: B.

    Returns:
        Features of B images, and of B * E in the order b * E + e.
    """

    def take(values: torch.Tensor, which: slice) -> torch.Tensor:
        return values.reshape(batch, -1, *values.shape[1:])[:, which].flatten(0, 1)

    def build(which: slice) -> FrozenFeatures:
        attention, tokens = features.class_attention, features.clip_tokens
        return FrozenFeatures(
            take(features.descriptors, which),
            None if attention is None else take(attention, which),
            None if tokens is None else take(tokens, which),
            features.rows,
            features.columns,
        )

    return build(slice(0, 1)), build(slice(1, None))


def build_provider(config: frozen.BackboneConfig, texts: ActionTexts | None) -> AffinityProvider:
    """Make the source of affinity that a config names.

    Args:
        config: options of the backbones.
        texts: vectors of the prompts; None where affinity does not come from CLIP.
    """
    if texts is None:
        return SaliencyAffinity()
    # The published choice of heads is one of DINO ViT-S/16; those of others mean other things.
    heads = PUBLISHED_HEADS if config.descriptor == "dino_vits16" else None
    return ClipAffinity(texts.action, texts.exocentric, heads)
