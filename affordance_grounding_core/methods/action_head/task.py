"""Training of the action head as a Lightning task."""

from __future__ import annotations

import torch
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig

from affordance_grounding_core.methods.action_head.config import ActionHeadConfig, LossConfig
from affordance_grounding_core.methods.action_head.data import Batch
from affordance_grounding_core.methods.action_head.losses import HeadLoss, head_loss
from affordance_grounding_core.methods.action_head.network import ActionHead


class ActionHeadTask(LightningModule):
    """Trains an `ActionHead` on cached features.

    Args:
        actions: vocabulary, in the order of the head's channels.
        blocks: backbone blocks whose tokens are read.
        width: channels inside the head.
        dropout: share of feature channels dropped in training.
        block_dropout: share of the samples from which all but the last block are dropped.
        loss: weights of its terms.
        learning_rate: highest of the one-cycle schedule.
        weight_decay: of AdamW.
    """

    def __init__(
        self,
        actions: list[str],
        blocks: list[int] = [6, 9, 11],  # noqa: B006  the command line shows the default
        width: int = 128,
        dropout: float = 0.3,
        block_dropout: float = 0.3,
        loss: LossConfig = LossConfig(),  # noqa: B008  frozen
        learning_rate: float = 2e-3,
        weight_decay: float = 0.05,
    ) -> None:
        super().__init__()
        self.actions = list(actions)
        self.config = ActionHeadConfig(
            actions=len(actions),
            blocks=tuple(blocks),
            width=width,
            dropout=dropout,
            block_dropout=block_dropout,
        )
        self.loss = loss
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.head = ActionHead(self.config)
        self.peaks: list[tuple[torch.Tensor, torch.Tensor]] = []

    def training_step(self, batch: Batch, batch_index: int) -> torch.Tensor:
        """Compute the loss of one batch.

        Raises:
            RuntimeError: the loss is not finite; the batch is named and training stops.
        """
        loss = self._loss(self._logits(batch), batch)
        if not torch.isfinite(loss.total):
            raise RuntimeError(
                f"loss of batch {batch_index} in epoch {self.current_epoch} is "
                f"{loss.total.item()}; expected a finite number: lower the learning rate or "
                "look for damaged pictures"
            )
        self._log("train", loss, progress=True)
        return loss.total

    def on_validation_epoch_start(self) -> None:
        """Forget the peaks of the epoch before."""
        self.peaks.clear()

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Score held-out pictures and keep the peak heat of every pair that is known."""
        logits = self._logits(batch)
        self._log("validation", self._loss(logits, batch), progress=True)
        peaks = torch.sigmoid(logits).amax(dim=(2, 3))
        self.peaks.append((peaks[batch["present"]], peaks[batch["absent"]]))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW with a one-cycle learning rate over the whole run."""
        optimizer = torch.optim.AdamW(
            self.head.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=self.learning_rate,
            total_steps=int(self.trainer.estimated_stepping_batches),
            pct_start=0.1,
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def found_threshold(self, fallback: float = 0.5) -> float:
        """Choose the heat that best parts present from absent actions on held-out pictures.

        A find where there is nothing weighs twice a miss: a robot that asks again does no harm.

        Args:
            fallback: the answer where the held-out pictures have only one of the two kinds.

        Returns:
            The middle of the thresholds in [0.05, 0.95] at which the weighted mean of the shares
            of present pairs above and absent pairs below is within one percent of the best.
        """
        present = torch.cat([pair[0] for pair in self.peaks]) if self.peaks else torch.empty(0)
        absent = torch.cat([pair[1] for pair in self.peaks]) if self.peaks else torch.empty(0)
        if not len(present) or not len(absent):
            return fallback
        thresholds = torch.linspace(0.05, 0.95, 91)
        accuracy = torch.stack(
            [
                ((present >= t).float().mean() + 2 * (absent < t).float().mean()) / 3
                for t in thresholds
            ]
        )
        return round(float(thresholds[accuracy >= accuracy.max() - 0.01].median()), 2)

    def _logits(self, batch: Batch) -> torch.Tensor:
        rows, columns = batch["labels"].shape[-2:]
        logits: torch.Tensor = self.head(batch["tokens"], rows, columns)
        return logits

    def _loss(self, logits: torch.Tensor, batch: Batch) -> HeadLoss:
        return head_loss(logits, batch["labels"], batch["present"], batch["absent"], self.loss)

    def _log(self, stage: str, loss: HeadLoss, progress: bool) -> None:
        self.log(f"{stage}/loss", loss.total, prog_bar=progress, on_step=False, on_epoch=True)
        for term in ("distribution", "level", "absence"):
            self.log(f"{stage}/{term}", getattr(loss, term), on_step=False, on_epoch=True)
