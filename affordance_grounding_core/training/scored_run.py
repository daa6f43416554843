"""Runs of the methods that score their epochs on images: options, records, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from lightning.pytorch.cli import LightningArgumentParser

from affordance_grounding_core.inference.heat_calibration import (
    HeatCalibration,
    fit_heat_calibration,
)
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.training.epoch_score import EpochScore
from affordance_grounding_core.training.heat_fitting import RawMapNetwork, network_peaks
from affordance_grounding_core.training.run_cli import TrainingRunCLI
from affordance_grounding_core.training.run_outcome import TrainingOutcome, checkpoint_lines


class ScoredRunCLI(TrainingRunCLI):
    """Options of a run whose epochs are scored on images.

    Attributes:
        best_score: name of the score, without its data, that is lowest in the best epoch.
    """

    best_score: ClassVar[str]

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Say seed and selection once, for task and data."""
        super().add_arguments_to_parser(parser)
        parser.link_arguments("seed_everything", "model.seed")
        parser.link_arguments("data.selection", "model.selection")

    def best_metric(self) -> str | None:
        """Name of the score on the selected images; None for the selection "none"."""
        selection = self.datamodule.selection
        return None if selection == "none" else f"{selection}/{self.best_score}"

    def scores(self) -> Sequence[EpochScore]:
        """Scores of the epochs so far, those before a resumed one included."""
        scores: Sequence[EpochScore] = self.model.scores
        return scores

    def record(self) -> dict[str, Any]:
        """Write down what every such run has to say of how it was made."""
        task, data = self.model, self.datamodule
        return {
            "seed": data.seed,
            "epochs": self.trainer.current_epoch,
            "data": Path(data.root).name,
            "split": data.split,
            "batch_size": data.batch_size * self.trainer.world_size,
            "exocentric_count": data.exocentric_count,
            "cached_views": data.cached_views if data.cache_features else None,
            "precision": str(self.trainer.precision),
            "optimiser": asdict(task.optimiser),
            "selection": data.selection,
            "scores": [score.as_dict() for score in task.scores],
            "losses": task.losses,
            "images_replaced": task.replaced,
        }

    def fit_heat(self, network: RawMapNetwork, preprocess: PreprocessConfig) -> HeatCalibration:
        """Fit the heat of the trained network on images of the training set.

        Args:
            network: network that will run, with the weights of an epoch.
            preprocess: preprocessing that it will run with.

        Returns:
            The calibration; the default one where the images show no action that is afforded, or
            none that is not.
        """
        images = self.datamodule.calibration
        present, absent = network_peaks(
            network, Preprocess(preprocess), self.model.actions, images, show_progress=True
        )
        if not present or not absent:
            return HeatCalibration()
        return fit_heat_calibration(present, absent, images.description)


def checkpoint_and_score_lines(
    outcome: TrainingOutcome[Any], decisive: str, caption: str
) -> list[str]:
    """Say what a run has left behind, for the console: checkpoints, best and last epoch.

    Args:
        outcome: outcome of the run.
        decisive: kind of map by whose KLD the best epoch is found.
        caption: name of a kind of map in the report, with "{}" in place of the kind.
    """
    shown = checkpoint_lines(outcome)
    scores = outcome.trained_scores
    if scores:
        best = min(scores, key=lambda score: score.of_kind(decisive).kld)
        for name, score in (("best", best), ("last", scores[-1])):
            for kind in score.kinds():
                value = score.of_kind(kind)
                shown.append(
                    f"{name} epoch {score.epoch}, {caption.format(kind)}: KLD {value.kld:.3f} "
                    f"SIM {value.sim:.3f} NSS {value.nss:.3f}"
                )
    return shown
