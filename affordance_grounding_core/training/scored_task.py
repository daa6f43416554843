"""Training task of the methods that score their epochs on images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, cast

import numpy as np
import torch
from lightning.pytorch.trainer.states import TrainerFn

from affordance_grounding_core.errors import TrainingError
from affordance_grounding_core.evaluation.protocols import MapScore
from affordance_grounding_core.training.epoch_score import METRICS, EpochScore
from affordance_grounding_core.training.run_task import RunTask


class ScoredTask(RunTask):
    """Trains a network whose maps are scored after every epoch.

    A method computes the loss in `training_step` and hands scores to `keep_scores` in
    `validation_step`; here is what becomes of them, and of the weights.

    Args:
        actions: vocabulary; the order counts.
        selection: name of the scores, "test" or "validation".
        seed: seed of everything random in a step.

    Attributes:
        score_type: scores of an epoch.
        watched: score, without its data, that is lowest in the best epoch.
        scores: scores of the epochs so far.
        epoch_scores: scores of this epoch so far: an image's index, and a score for each
            kind of map.
        losses: mean losses of the epochs so far, by the name of the term.
        replaced: number of unreadable images so far.
    """

    score_type: ClassVar[type[EpochScore]]
    watched: ClassVar[str]

    def __init__(self, actions: Sequence[str], selection: str, seed: int) -> None:
        super().__init__(actions)
        self.selection = selection
        self.seed = seed
        self.scores: list[Any] = []
        self.epoch_scores: list[tuple[int, tuple[MapScore, ...]]] = []
        self.losses: list[dict[str, float]] = []
        self.replaced = 0
        self._batch_name = ""

    def step_seed(self, batch_index: int) -> int:
        """A seed that depends on nothing but the place in the run."""
        place = (self.seed, self.current_epoch, batch_index, self.global_rank)
        (number,) = np.random.SeedSequence(place).generate_state(1, np.uint64)
        return int(number >> np.uint64(1))

    def begin_batch(self, batch: Mapping[str, Any], batch_index: int) -> None:
        """Keep in mind what a batch holds, for messages and for the count of replaced images."""
        self._batch_name = f"batch {batch_index} of epoch {self.current_epoch}:\n" + "\n".join(
            batch["files"]
        )
        self.replaced += int(batch["replaced"].sum())

    def require_finite(self, total: torch.Tensor, terms: Mapping[str, torch.Tensor]) -> None:
        """Refuse a loss that is not finite.

        Args:
            total: loss of the batch.
            terms: terms that it consists of.

        Raises:
            TrainingError: it is not; the images of the batch are named.
        """
        if not torch.isfinite(total):
            shown = {name: float(value.detach()) for name, value in terms.items()}
            raise TrainingError(
                f"loss is {total.item()} ({shown}); expected a finite number: lower "
                f"model.optimiser.learning_rate, or look for damaged images in {self._batch_name}"
            )

    def log_training(
        self, values: Mapping[str, torch.Tensor], count: int, progress: bool = False
    ) -> None:
        """Log means over the epoch, as "train/NAME".

        Args:
            values: values of the batch, by name.
            count: samples in the batch.
            progress: whether the progress bar shows them.
        """
        for name, value in values.items():
            self.log(
                f"train/{name}",
                value.detach().float(),
                prog_bar=progress,
                on_step=False,
                on_epoch=True,
                batch_size=count,
                sync_dist=self.trainer.world_size > 1,
            )

    def on_train_epoch_end(self) -> None:
        """Keep the means of the losses of the epoch."""
        self.losses.append(
            {
                name.removeprefix("train/"): round(float(value), 6)
                for name, value in self.trainer.callback_metrics.items()
                if name.startswith("train/")
            }
        )

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Refuse to spoil the weights with a gradient that is not finite.

        Raises:
            TrainingError: it is not; the images of the batch are named.
        """
        if self.trainer.precision == "16-mixed":
            return  # the gradient scaler skips such steps on its own
        gradients = [p.grad for p in self.parameters() if p.grad is not None]
        if not all(bool(torch.isfinite(gradient).all()) for gradient in gradients):
            raise TrainingError(
                "a gradient is not finite although the loss is; lower "
                "model.optimiser.learning_rate, or look for damaged images in " + self._batch_name
            )

    def keep_scores(self, batch: Mapping[str, Any], scores: Iterable[tuple[MapScore, ...]]) -> None:
        """Keep the scores of a batch for the mean of the epoch.

        Args:
            batch: B scored images, with their places in the scored set as "index".
            scores: B of them, for each kind of map, in order.
        """
        self.epoch_scores += zip(batch["index"].tolist(), scores, strict=True)

    def on_validation_epoch_start(self) -> None:
        """Forget the scores of the epoch before."""
        self.epoch_scores.clear()

    def on_validation_epoch_end(self) -> None:
        """Average over images and keep the scores of the epoch."""
        if not self.epoch_scores:
            return
        epoch = self.current_epoch if self.trainer.state.fn == TrainerFn.FITTING else -1
        score = self.score_type.of_kinds(epoch, self._mean_scores())
        for name, value in score.as_dict().items():
            if name != "epoch":
                self.log(
                    f"{self.selection}/{name}",
                    value,
                    prog_bar=name == self.watched,
                    sync_dist=self.trainer.world_size > 1,  # equal everywhere already
                )
        if not self.trainer.sanity_checking:
            self.scores.append(score)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the scores and losses of the epochs so far."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["scores"] = [score.as_dict() for score in self.scores]
        checkpoint["losses"] = self.losses
        checkpoint["replaced"] = self.replaced

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the scores and losses of the epochs before; see `RunTask`."""
        super().on_load_checkpoint(checkpoint)
        self.scores = [self.score_type.from_dict(values) for values in checkpoint["scores"]]
        self.losses = list(checkpoint.get("losses", []))  # not in states of earlier versions
        self.replaced = int(checkpoint["replaced"])

    def _mean_scores(self) -> list[MapScore]:
        """Average over the images of all devices, each image once.

        Where the images do not divide by the devices, Lightning shows some of them twice, so that
        every device has as many. Sums are in the order of the images, whatever the devices.
        """
        rows = torch.tensor(
            [
                [index, *(getattr(score, metric) for score in scores for metric in METRICS)]
                for index, scores in self.epoch_scores
            ],
            dtype=torch.float64,
            device=self.device,
        )
        if self.trainer.world_size > 1:
            rows = cast(torch.Tensor, self.all_gather(rows)).flatten(0, 1)
        values = rows.cpu().numpy()
        _, first = np.unique(values[:, 0], return_index=True)
        means = values[first, 1:].mean(axis=0).reshape(-1, len(METRICS))
        return [MapScore(*mean.tolist()) for mean in means]
