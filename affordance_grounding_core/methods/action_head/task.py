"""Lightning module that trains the action head."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch.nn import functional

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.errors import CheckpointError, TrainingError
from affordance_grounding_core.methods.action_head.calibration import (
    HeatThresholds,
    best_mask_threshold,
    fit_thresholds,
    mask_overlaps,
)
from affordance_grounding_core.methods.action_head.checkpoint import start_from, weights_to_average
from affordance_grounding_core.methods.action_head.config import (
    ActionHeadConfig,
    AverageConfig,
    LossConfig,
)
from affordance_grounding_core.methods.action_head.data import (
    ActionHeadData,
    Batch,
    first_present,
)
from affordance_grounding_core.methods.action_head.losses import HeadLoss, head_loss, mask_loss
from affordance_grounding_core.methods.action_head.network import ActionHead, join_blocks
from affordance_grounding_core.methods.action_head.scenes import MASK_UNKNOWN
from affordance_grounding_core.training.run_task import RunTask


class ActionHeadTask(RunTask):
    """Trains an `ActionHead` on cached features.

    Args:
        actions: vocabulary, in the order of the head's channels.
        blocks: backbone blocks whose tokens are read.
        width: channels inside the head.
        dropout: share of feature channels dropped in training.
        block_dropout: share of the samples from which all but the last block are dropped.
        attention: transformer blocks inside the head.
        mask_width: channels of the layers that draw part masks; 0 for a head without masks.
        context: transformer blocks that tell a patch of the whole picture; 0 for none.
        blur: spread of the heat, as a share of the input's side; 0 for none.
        adapter_rank: rank of the changes of the backbone's last blocks that are trained with the
            head; 0 for none.
        adapted_from: the first block that is changed.
        adapter_rate: highest learning rate of these changes.
        loss: weights of the loss's terms.
        learning_rate: highest rate of the one-cycle schedule.
        weight_decay: weight decay of AdamW.
        mask_samples: samples of each batch that part masks are trained on, the costly part of a
            step.
        initial: model of the package or checkpoint folder whose head training begins with; None
            for a random one.
        rehearsal: weight of staying with what the initial head says of pairs without a label.
        average: another run whose weights are averaged with those of this one at its end.
        backbone: name of the backbone whose tokens are read.

    Attributes:
        metrics: metrics of the epoch whose weights the task has.
    """

    trained_part = "head"

    def __init__(
        self,
        actions: list[str],
        blocks: list[int] = [6, 9, 11],  # noqa: B006  the command line shows the default
        width: int = 128,
        dropout: float = 0.3,
        block_dropout: float = 0.3,
        attention: int = 0,
        mask_width: int = 0,
        context: int = 0,
        blur: float = 0.0,
        adapter_rank: int = 0,
        adapted_from: int = 7,
        adapter_rate: float = 1e-3,
        loss: LossConfig = LossConfig(),  # noqa: B008  frozen
        learning_rate: float = 2e-3,
        weight_decay: float = 0.05,
        mask_samples: int = 16,
        initial: str | None = None,
        rehearsal: float = 0.0,
        average: AverageConfig | None = None,
        backbone: str = "dinov2_vits14",
    ) -> None:
        super().__init__(actions)
        self.config = ActionHeadConfig(
            actions=len(actions),
            feature_width=backbone_width(backbone),
            blocks=tuple(blocks),
            width=width,
            dropout=dropout,
            block_dropout=block_dropout,
            attention=attention,
            mask_width=mask_width,
            context=context,
            blur=blur,
            adapter_rank=adapter_rank,
            adapted_from=adapted_from,
        )
        self.loss = loss
        self.learning_rate, self.adapter_rate = learning_rate, adapter_rate
        self.weight_decay = weight_decay
        self.mask_samples = mask_samples
        self.head = ActionHead(self.config)
        self.initial, self.rehearsal = initial, rehearsal
        # Hidden from PyTorch: they are no part of the model. With adapters, the backbone as it is
        # trained and the initial head's.
        self._backbones: list[Dinov2] = []
        self._teacher: list[ActionHead] = []
        if initial is not None:
            self._teacher.append(start_from(self.head, initial, self.actions))
        self.average = average
        self._other: dict[str, torch.Tensor] = {}
        if average is not None:
            with torch.random.fork_rng(devices=[]):  # the run is the same with and without it
                self._other = weights_to_average(self.head, average.model, self.actions)
        self.peaks: list[tuple[torch.Tensor, ...]] = []
        self.overlaps: list[torch.Tensor] = []
        self.metrics: dict[str, float] = {}
        self._steps = 0
        self._resumed_steps: int | None = None

    def setup(self, stage: str) -> None:
        """Take the frozen backbone whose blocks are changed, and the initial head's own."""
        if self.head.adapters is None or self._backbones:
            return
        data = cast(ActionHeadData, cast(Any, self.trainer).datamodule)
        trained, initial = data.frozen_backbone(), data.frozen_backbone()
        self.head.adapters.attach(trained)
        for teacher in self._teacher:
            if teacher.adapters is not None:
                teacher.adapters.merge_into(initial)
        self._backbones += [trained, initial]

    def training_step(self, batch: Batch, batch_index: int) -> torch.Tensor:
        """Compute the loss of one batch.

        Raises:
            TrainingError: the loss is not finite; the batch is named and training stops.
        """
        loss, _, _ = self._compare(batch, self.mask_samples)
        if not torch.isfinite(loss.total):
            raise TrainingError(
                f"loss of batch {batch_index} in epoch {self.current_epoch} is "
                f"{loss.total.item()}; expected a finite number: lower the learning rate or "
                "look for damaged pictures"
            )
        self._log("train", loss, progress=True)
        return loss.total

    def on_validation_epoch_start(self) -> None:
        """Forget the peaks and overlaps of the epoch before."""
        if not self.trainer.sanity_checking:
            self.peaks.clear()
            self.overlaps.clear()

    def validation_step(self, batch: Batch, batch_index: int) -> dict[str, torch.Tensor]:
        """Score held-out pictures and keep what thresholds are fitted on.

        Returns:
            "index" of the pictures and "maps", the heat of an action each, for TensorBoard.
        """
        loss, logits, masks = self._compare(batch, None)
        self._log("validation", loss, progress=True)
        if not self.trainer.sanity_checking:
            self._keep(batch, logits, masks)
        shown = first_present(batch["present"])
        heat = torch.sigmoid(logits[torch.arange(len(logits), device=logits.device), shown])
        return {"index": batch["index"], "maps": heat}

    def _keep(self, batch: Batch, logits: torch.Tensor, masks: torch.Tensor | None) -> None:
        peaks = logits.amax(dim=(2, 3))
        self.peaks.append((peaks.cpu(), batch["present"].cpu(), batch["absent"].cpu()))
        if masks is not None:
            known = batch["present"] & (batch["masks"] != MASK_UNKNOWN).all(3).all(2)
            self.overlaps.append(mask_overlaps(masks[known], batch["masks"][known]).cpu())

    def on_train_epoch_end(self) -> None:
        """Keep the metrics of the epoch; where it had no validation, those of the last one."""
        metrics = self.trainer.callback_metrics
        self.metrics |= {name: round(float(value), 4) for name, value in metrics.items()}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what thresholds are fitted on, and the length of the schedule."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["steps"] = self._steps
        checkpoint["metrics"] = self.metrics
        checkpoint["peaks"] = list(self.peaks)
        checkpoint["overlaps"] = list(self.overlaps)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up what `on_save_checkpoint` added; see `RunTask`."""
        super().on_load_checkpoint(checkpoint)
        self._resumed_steps = int(checkpoint["steps"])
        self._take_up(checkpoint)

    def take_over(self, state: Mapping[str, Any]) -> None:
        """Take over the weights of a state, and what thresholds are fitted on."""
        super().take_over(state)
        self._take_up(state)

    def _take_up(self, state: Mapping[str, Any]) -> None:
        self.metrics = dict(state["metrics"])
        self.peaks = [tuple(batch) for batch in state["peaks"]]
        self.overlaps = list(state["overlaps"])

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW with a one-cycle learning rate over the whole run.

        Raises:
            CheckpointError: the run that is resumed was to be longer or shorter.
        """
        steps = self._steps = int(self.trainer.estimated_stepping_batches)
        if self._resumed_steps not in (None, steps):
            raise CheckpointError(
                f"the run that is resumed was to take {self._resumed_steps} steps, this one takes "
                f"{steps}; its learning rate falls over the whole of it: resume with the same "
                "data, batch size and trainer.max_epochs"
            )
        adapters = list(self.head.adapters.parameters()) if self.head.adapters else []
        changes = {id(parameter) for parameter in adapters}
        own = [one for one in self.head.parameters() if id(one) not in changes]
        rates = [self.learning_rate, *([self.adapter_rate] if adapters else [])]
        groups = [
            {"params": parameters, "lr": rate}
            for parameters, rate in zip((own, adapters), rates, strict=False)
        ]
        optimizer = torch.optim.AdamW(groups, weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=rates,
            total_steps=steps,
            pct_start=0.1,
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def take_average(self, held_out: Iterable[Batch]) -> None:
        """Average the weights with the other run's, and score held-out pictures anew.

        Args:
            held_out: batches of held-out pictures, on which thresholds are fitted.
        """
        if self.average is None:
            return
        share = self.average.share
        mean = {}
        for name, own in self.head.state_dict().items():
            if name in self._other:
                mean[name] = torch.lerp(own, self._other[name].to(own), share)
            else:  # Adapters: the other backbone is as it was, and one factor carries the share.
                mean[name] = own * (1.0 - share) if name.endswith(".up") else own
        self.head.load_state_dict(mean)
        self.peaks.clear()
        self.overlaps.clear()
        self.eval()
        with torch.no_grad():
            for batch in held_out:
                placed = {name: value.to(self.device) for name, value in batch.items()}
                _, logits, masks = self._compare(placed, None)
                self._keep(placed, logits, masks)

    def heat_thresholds(self, fallback: float = 0.5) -> HeatThresholds:
        """Fit when heat is a find, on the held-out pictures of the last epoch.

        Args:
            fallback: the threshold where they have pairs of one kind alone.
        """
        if not self.peaks:
            return HeatThresholds(fallback, torch.zeros(len(self.actions)))
        logits, present, absent = (torch.cat(values) for values in zip(*self.peaks, strict=True))
        return fit_thresholds(logits, present, absent, fallback)

    def mask_threshold(self) -> float:
        """Fit where parts end, on the held-out pictures of the last epoch."""
        overlaps = torch.cat(self.overlaps) if self.overlaps else torch.empty(0, 0)
        return best_mask_threshold(overlaps)

    def _compare(
        self, batch: Batch, mask_samples: int | None
    ) -> tuple[HeadLoss, torch.Tensor, torch.Tensor | None]:
        """Loss, logits of the heat, and of the masks of so many samples (None: of all)."""
        rows, columns = batch["labels"].shape[-2:]
        tokens = self._features(batch["tokens"], 0)
        described = self.head.describe(tokens, rows, columns)
        logits = self.head.score(described).float()
        present, absent = batch["present"], batch["absent"]
        loss = head_loss(logits, batch["labels"], present, absent, self.loss)
        if self.training and self._teacher and self.rehearsal:
            kept = self._rehearse(batch, logits)
            loss = replace(loss, total=loss.total + self.rehearsal * kept)
        if self.head.masks is None or "masks" not in batch:
            return loss, logits, None
        some = slice(mask_samples)
        # Convolutions of few channels take two thirds of the time with channels last.
        pixels = batch["pixels"][some].contiguous(memory_format=torch.channels_last)
        masks = self.head.masks(described[some], pixels).float()
        term = mask_loss(masks, batch["masks"][some], present[some])
        total = loss.total + self.loss.mask * term
        return replace(loss, mask=term, total=total), logits, masks

    def _features(self, stored: torch.Tensor, place: int) -> torch.Tensor:
        """Features from what the data keeps: these, or with adapters the input of a block.

        Args:
            stored: (B, 1 + patches, channels) float16.
            place: of the backbone, in `_backbones`.
        """
        tokens = stored.float()
        if not self._backbones:
            return tokens
        config = self.config
        backbone = self._backbones[place].to(tokens.device)
        joined = join_blocks(backbone.continue_from(tokens, config.adapted_from, config.blocks))
        return joined.float()

    def _rehearse(self, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Cross entropy against the initial head, on pairs of a quarter of the batch without label.

        A quarter, because the initial head costs about as much as the trained one.
        """
        (teacher,) = self._teacher
        teacher.to(logits.device)
        some = slice(max(1, len(logits) // 4))
        with torch.no_grad():
            tokens = self._features(batch["tokens"][some], 1)
            said = torch.sigmoid(teacher(tokens, *batch["labels"].shape[-2:])).float()
        silent = ~(batch["present"][some] | batch["absent"][some])
        if not silent.any():
            return logits.sum() * 0.0
        logits = logits[some]
        return functional.binary_cross_entropy_with_logits(logits[silent], said[silent])

    def _log(self, stage: str, loss: HeadLoss, progress: bool) -> None:
        self.log(f"{stage}/loss", loss.total, prog_bar=progress, on_step=False, on_epoch=True)
        for term in ("distribution", "level", "absence", "mask"):
            self.log(f"{stage}/{term}", getattr(loss, term), on_step=False, on_epoch=True)


def backbone_width(name: str) -> int:
    """Channels of the tokens of a backbone of DINOv2.

    Raises:
        ValueError: another name.
    """
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return Dinov2(name).width
