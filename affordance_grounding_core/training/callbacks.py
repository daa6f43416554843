"""Callbacks of a run: states of the best and the last epoch, random numbers, pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from numpy.typing import NDArray

from affordance_grounding_core.errors import CheckpointError
from affordance_grounding_core.images import read_rgb
from affordance_grounding_core.images.arrays import RgbImage
from affordance_grounding_core.inference.overlay import blend_heat, draw_caption

STATE_FOLDER = "lightning"
"""Folder, in that of a run, of the states that training resumes from."""

BEST_STATE, LAST_STATE = "best.ckpt", "last.ckpt"
"""Files of that folder."""


class BestEpoch(ModelCheckpoint):
    """Keeps the state after the best epoch; epochs without a score yet are passed over."""

    @property
    def state_key(self) -> str:
        """Name of its own state, which is that of the class above in states of earlier versions."""
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the state where the score is the lowest so far."""
        if self.monitor in trainer.callback_metrics:
            super().on_train_epoch_end(trainer, pl_module)


class RandomNumbers(Callback):
    """Keeps the place in PyTorch's stream of random numbers, so that resumed runs go on in it."""

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the generators of all devices."""
        devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        return {"cpu": torch.get_rng_state(), "cuda": devices}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where the state was saved.

        At once, for the order of the samples is drawn as soon as the optimiser asks for their
        number where workers load them, and at the first batch where none do.
        """
        torch.set_rng_state(state_dict["cpu"].cpu())
        devices = [state.cpu() for state in state_dict["cuda"]]
        if torch.cuda.is_available() and len(devices) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(devices)


def keep_last(output: Path) -> ModelCheckpoint:
    """Keep the state after the last epoch, for `--resume last`."""
    return ModelCheckpoint(
        dirpath=output / STATE_FOLDER,
        filename="last",
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def keep_best(output: Path, monitor: str) -> ModelCheckpoint:
    """Keep the state after the epoch with the lowest score.

    Args:
        output: folder of the run.
        monitor: name of the score.
    """
    return BestEpoch(
        dirpath=output / STATE_FOLDER,
        filename="best",
        monitor=monitor,
        mode="min",
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def resume_path(output: Path, resume: str | None) -> Path | None:
    """Find the state to go on from.

    Args:
        output: folder of the run.
        resume: "last" for the run's own last epoch, the path of a .ckpt file, or None.

    Raises:
        CheckpointError: no such file.
    """
    if resume is None:
        return None
    path = output / STATE_FOLDER / LAST_STATE if resume == "last" else Path(resume).expanduser()
    if not path.is_file():
        raise CheckpointError(
            f"there is no state to resume from at {path}; expected the path of a .ckpt file, or "
            "'last' with the --output of a run that finished an epoch"
        )
    return path


class PictureSource(Protocol):
    """A data module that knows the files of the images it scores."""

    def scored_caption(self, index: int) -> tuple[Path, str]:
        """File and action of an image by its index in the scored set."""
        ...


class OverlayPictures(Callback):
    """Draws the maps of a few scored images into TensorBoard after every epoch.

    The task's `validation_step` answers with "index" and "maps", raw maps of any resolution;
    each is scaled to its own range, since it is the place that is looked at here.

    Args:
        count: number of images, spread evenly over the scored set.
        side: longer side of a picture in px.
    """

    def __init__(self, count: int = 6, side: int = 320) -> None:
        self.count = count
        self.side = side

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Draw those of the batch that are among the chosen."""
        logger = trainer.logger
        if not isinstance(logger, TensorBoardLogger) or not isinstance(outputs, dict):
            return
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        chosen = self._chosen(len(_only(trainer.val_dataloaders).dataset))
        for index, heat in zip(outputs["index"], outputs["maps"], strict=True):
            if int(index) in chosen:
                file, action = data.scored_caption(int(index))
                picture = draw_map(read_rgb(file), heat.float().cpu().numpy(), action, self.side)
                logger.experiment.add_image(
                    f"scored/{int(index)}_{action}",
                    picture,
                    pl_module.global_step,
                    dataformats="HWC",
                )

    def _chosen(self, total: int) -> set[int]:
        return {int(place) for place in np.linspace(0, total - 1, self.count).round()}


def draw_map(
    image: RgbImage, heat: NDArray[np.float32], action: str, side: int
) -> NDArray[np.uint8]:
    """Draw a raw map over an image, scaled to its own range.

    Args:
        image: image to draw upon.
        heat: (rows, columns) float32 of any range.
        action: written into the corner.
        side: longer side of the picture in px.

    Returns:
        (h, w, 3) uint8, RGB.
    """
    scale = side / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    large = cv2.resize(heat, size, interpolation=cv2.INTER_LINEAR)
    spread = float(large.max() - large.min())
    scaled = (large - large.min()) / spread if spread > 0 else np.zeros_like(large)
    picture = blend_heat(small, np.asarray(scaled, np.float32))
    draw_caption(picture, action)
    return picture


def _only(loaders: Any) -> Any:
    return loaders[0] if isinstance(loaders, list | tuple) else loaders
