"""Training of Selective Contrastive Learning, as a Lightning task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from lightning import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig

from affordance_grounding_core.backbones.weights import tensor_fingerprint
from affordance_grounding_core.errors import CheckpointError, TrainingError
from affordance_grounding_core.evaluation.protocols import LocateProtocol, MapScore
from affordance_grounding_core.methods.selective_cl import frozen
from affordance_grounding_core.methods.selective_cl.checkpoint import (
    ActionTexts,
    BackboneReference,
    encode_actions,
)
from affordance_grounding_core.methods.selective_cl.config import (
    ObjectiveConfig,
    SelectiveHeadConfig,
)
from affordance_grounding_core.methods.selective_cl.features import FrozenFeatures
from affordance_grounding_core.methods.selective_cl.maps import MapConfig, calibrate_maps
from affordance_grounding_core.methods.selective_cl.network import SelectiveHead
from affordance_grounding_core.methods.selective_cl.objective import selective_objective
from affordance_grounding_core.methods.selective_cl.optimiser import (
    OptimiserConfig,
    build_optimiser,
)
from affordance_grounding_core.methods.selective_cl.part_labels import PartLabels
from affordance_grounding_core.methods.selective_cl.providers import (
    PUBLISHED_HEADS,
    AffinityProvider,
    ClipAffinity,
    SaliencyAffinity,
)
from affordance_grounding_core.methods.selective_cl.samples import Item
from affordance_grounding_core.methods.selective_cl.scoring import (
    METRICS,
    EpochScore,
    maps_with_affinity,
    score_maps,
)

_FROZEN = "backbones."


class SelectiveTask(LightningModule):
    """Trains a `SelectiveHead` on what frozen backbones say of images.

    Args:
        actions: vocabulary, in the order of the head's channels.
        backbones: frozen, with the source of affinity.
        objective: options of part discovery and of the losses.
        optimiser: rates and schedule.
        hidden: channels inside the projection MLP.
        skip: whether descriptors are added to their projection, as in LOCATE.
        maps: how affinity calibrates the class maps that are scored and stored.
        selection: name of the scores, "test" or "validation"; see `SelectiveData`.
        seed: of k-means and of the head's first weights.

    Attributes:
        scores: of the epochs so far.
    """

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
        super().__init__()
        self.actions = list(actions)
        self.backbone_config = backbones
        self.objective = objective
        self.optimiser = optimiser
        self.maps = maps
        self.selection = selection
        self.seed = seed
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
        self.scores: list[EpochScore] = []
        self.replaced = 0
        self._protocol = LocateProtocol()
        self._epoch_scores: list[tuple[MapScore, MapScore]] = []
        self._batch_name = ""

    def features(self, batch: Item) -> FrozenFeatures:
        """Run the frozen backbones, or take what the cache holds.

        Args:
            batch: with "pixels" (B, I, 3, h, w), or with features by name (B, I, ...).

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
        self._batch_name = f"batch {batch_index} of epoch {self.current_epoch}:\n" + "\n".join(
            batch["files"]
        )
        egocentric, exocentric = split_views(self.features(batch), len(labels))
        output = selective_objective(
            self.head,
            egocentric,
            exocentric,
            labels,
            self.current_epoch,
            self.provider,
            self.objective,
            self._generator(batch_index),
            parts=part_labels(batch),
        )
        if not torch.isfinite(output.total):
            terms = {name: float(value.detach()) for name, value in output.losses.items()}
            raise TrainingError(
                f"loss is {output.total.item()} ({terms}); expected a finite number: lower "
                f"model.optimiser.learning_rate, or look for damaged images in {self._batch_name}"
            )
        replaced = int(batch["replaced"].sum())
        self.replaced += replaced
        accuracy = (output.egocentric_logits.argmax(dim=1) == labels).float().mean()
        self._log("train", {"loss": output.total, "accuracy": accuracy}, len(labels), True)
        self._log("train", output.losses, len(labels))
        self._log("train", output.diagnostics, len(labels))
        return output.total

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Refuse to spoil the weights with a gradient that is not finite.

        Raises:
            TrainingError: it is not; the images of the batch are named.
        """
        if self.trainer.precision == "16-mixed":
            return  # the gradient scaler skips such steps on its own
        gradients = [p.grad for p in self.head.parameters() if p.grad is not None]
        if not all(bool(torch.isfinite(gradient).all()) for gradient in gradients):
            raise TrainingError(
                "a gradient is not finite although the loss is; lower "
                "model.optimiser.learning_rate, or look for damaged images in " + self._batch_name
            )

    def on_validation_epoch_start(self) -> None:
        """Forget the scores of the epoch before."""
        self._epoch_scores.clear()

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
        self._epoch_scores += zip(
            score_maps(plain, truths, self._protocol),
            score_maps(calibrated, truths, self._protocol),
            strict=True,
        )
        return {"index": batch["index"], "maps": calibrated}

    def on_validation_epoch_end(self) -> None:
        """Average over images and keep the scores of the epoch."""
        if not self._epoch_scores:
            return
        epoch = self.current_epoch if self.trainer.state.fn == TrainerFn.FITTING else -1
        means = [self._mean_score(column) for column in zip(*self._epoch_scores, strict=True)]
        score = EpochScore(epoch, means[0], means[1])
        for name, value in score.as_dict().items():
            if name != "epoch":
                self.log(
                    f"{self.selection}/{name}",
                    value,
                    prog_bar=name == "calibrated_kld",
                    sync_dist=self.trainer.world_size > 1,  # equal everywhere already
                )
        if not self.trainer.sanity_checking:
            self.scores.append(score)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The published optimiser, over the head alone."""
        optimiser, schedule = build_optimiser(self.head, self.optimiser)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave the frozen backbones out, and add what tells whether a checkpoint fits."""
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {
            name: value for name, value in state.items() if not name.startswith(_FROZEN)
        }
        checkpoint["actions"] = self.actions
        checkpoint["scores"] = [score.as_dict() for score in self.scores]
        checkpoint["replaced"] = self.replaced

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another vocabulary or head.

        Raises:
            CheckpointError: naming both vocabularies, or what does not fit.
        """
        require_actions(checkpoint.get("actions"), self.actions)
        state = checkpoint["state_dict"]
        own = {f"head.{name}": value for name, value in self.head.state_dict().items()}
        misfits = sorted(
            name
            for name in own.keys() | state.keys()
            if name not in own or name not in state or own[name].shape != state[name].shape
        )
        if misfits:
            raise CheckpointError(
                f"checkpoint does not fit this run's head, for example {misfits[:3]}; resume with "
                "the config that it was trained with"
            )
        for name, value in self.backbones.state_dict().items():
            state[_FROZEN + name] = value
        self.scores = [_epoch_score(values) for values in checkpoint["scores"]]
        self.replaced = int(checkpoint["replaced"])

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

    def _generator(self, batch_index: int) -> torch.Generator:
        """Random numbers that do not depend on what was drawn before."""
        place = (self.seed, self.current_epoch, batch_index, self.global_rank)
        (number,) = np.random.SeedSequence(place).generate_state(1, np.uint64)
        return torch.Generator().manual_seed(int(number >> np.uint64(1)))

    def _mean_score(self, scores: tuple[MapScore, ...]) -> MapScore:
        rows = torch.tensor([[getattr(s, m) for m in METRICS] for s in scores], dtype=torch.float64)
        totals = torch.cat([rows.sum(dim=0), torch.tensor([float(len(scores))])]).to(self.device)
        if self.trainer.world_size > 1:
            totals = cast(torch.Tensor, self.all_gather(totals)).sum(dim=0)
        return MapScore(*(totals[:-1] / totals[-1]).tolist())

    def _log(
        self, stage: str, values: Mapping[str, torch.Tensor], count: int, progress: bool = False
    ) -> None:
        for name, value in values.items():
            self.log(
                f"{stage}/{name}",
                value.detach().float(),
                prog_bar=progress,
                on_step=False,
                on_epoch=True,
                batch_size=count,
                sync_dist=self.trainer.world_size > 1,
            )


def part_labels(batch: Item) -> PartLabels | None:
    """Part labels of a batch, None where the data has none."""
    if "part_map" not in batch:
        return None
    return PartLabels(batch["part_map"], batch["part_known"])


def split_views(features: FrozenFeatures, batch: int) -> tuple[FrozenFeatures, FrozenFeatures]:
    """Part the egocentric image of each sample from its exocentric ones.

    Args:
        features: of B * (1 + E) images, the egocentric one of each sample first.
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
        config: of the backbones.
        texts: vectors of the prompts; None where affinity does not come from CLIP.
    """
    if texts is None:
        return SaliencyAffinity()
    # The published choice of heads is one of DINO ViT-S/16; those of others mean other things.
    heads = PUBLISHED_HEADS if config.descriptor == "dino_vits16" else None
    return ClipAffinity(texts.action, texts.exocentric, heads)


def require_actions(found: object, wanted: list[str]) -> None:
    """Refuse a checkpoint of another vocabulary.

    Raises:
        CheckpointError: naming both.
    """
    if found != wanted:
        raise CheckpointError(
            f"checkpoint was trained for the actions {found}, this run has {wanted}; the order "
            "counts too: resume with the same model.actions, or start a new run"
        )


def _epoch_score(values: Mapping[str, float]) -> EpochScore:
    scores = [
        MapScore(*(values[f"{name}_{m}"] for m in METRICS)) for name in ("plain", "calibrated")
    ]
    return EpochScore(int(values["epoch"]), *scores)
