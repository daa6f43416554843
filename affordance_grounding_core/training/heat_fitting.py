"""Heat fitting: peaks of maps on images whose object affords an action, and on others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from tqdm import tqdm

from affordance_grounding_core.data.agd20k import (
    EvaluationImage,
    TrainingImage,
    TrainingSet,
    affordances_of_objects,
    read_evaluation_set,
    read_training_set,
)
from affordance_grounding_core.errors import DatasetError, InvalidImageError
from affordance_grounding_core.images import read_rgb
from affordance_grounding_core.inference.heat_calibration import (
    HeatCalibration,
    fit_heat_calibration,
)
from affordance_grounding_core.inference.preprocess import Preprocess


class RawMapNetwork(Protocol):
    """A network that can be asked for its maps before they become heat."""

    def raw_maps(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Compute (K, rows, columns) of any scale for (1, 3, h, w) pixels and (K) actions."""
        ...


@dataclass(frozen=True)
class CalibrationSet:
    """Images that heat is fitted on.

    Attributes:
        images: egocentric, with the class of the object they show.
        affordances: object class to the actions that it affords.
        description: text for the checkpoint that says which images these are.
    """

    images: tuple[tuple[Path, str], ...]
    affordances: Mapping[str, Collection[str]]
    description: str

    @classmethod
    def of_training(
        cls, training: TrainingSet, images: Sequence[tuple[Path, str]]
    ) -> CalibrationSet:
        """Fit on images of the training set.

        Args:
            training: listing, which says what objects afford.
            images: egocentric images with the class of the object they show.
        """
        afforded = affordances_of_objects([*training.egocentric, *training.exocentric])
        return cls(tuple(images), afforded, f"{len(images)} egocentric training images")


def read_calibration_set(root: Path, split: str | None, limit: int = 256) -> CalibrationSet:
    """List images to fit heat on: of the training set or, where there is none, the test set.

    Args:
        root: folder in AGD20K layout.
        split: split of the data.
        limit: largest number of images, taken evenly over the listing.

    Raises:
        DatasetError: neither set is there.
    """
    listing: Sequence[TrainingImage | EvaluationImage]
    try:
        training = read_training_set(root, split)
        listing, part = training.egocentric, "trainset"
        affordances = affordances_of_objects([*training.egocentric, *training.exocentric])
    except DatasetError:
        listing, part = read_evaluation_set(root, split).images, "testset"
        affordances = affordances_of_objects(listing)
    chosen = np.unique(np.linspace(0, len(listing) - 1, min(limit, len(listing))).astype(int))
    images = tuple((listing[index].image, listing[index].object_name) for index in chosen)
    where = "/".join(name for name in (root.resolve().name, split, part) if name)
    return CalibrationSet(images, affordances, f"{len(images)} images of {where}")


def fit_network_heat(
    network: RawMapNetwork,
    preprocess: Preprocess,
    actions: Sequence[str],
    calibration_set: CalibrationSet,
    *,
    show_progress: bool = False,
) -> HeatCalibration:
    """Fit the heat of a network on whether an image's object affords an action.

    Args:
        network: network whose own calibration is not looked at.
        preprocess: preprocessing as at inference.
        actions: names of the network's channels.
        calibration_set: images and what their objects afford.
        show_progress: whether to draw a progress bar, where stderr is a terminal.

    Raises:
        DatasetError: no image shows an object that affords an action of the model, or none
            shows one that does not.
    """
    present, absent = network_peaks(
        network, preprocess, actions, calibration_set, show_progress=show_progress
    )
    if not (present and absent):
        raise DatasetError(
            f"heat cannot be fitted on {calibration_set.description}: {len(present)} pairs of "
            f"an image and an action it affords, {len(absent)} of one it does not; both are "
            f"needed, of the model's actions {list(actions)[:6]}..."
        )
    return fit_heat_calibration(present, absent, calibration_set.description)


@torch.no_grad()
def network_peaks(
    network: RawMapNetwork,
    preprocess: Preprocess,
    actions: Sequence[str],
    calibration_set: CalibrationSet,
    *,
    show_progress: bool = False,
) -> tuple[list[float], list[float]]:
    """Find the highest value of every action's map of every image.

    Args:
        network: see `fit_network_heat`.
        preprocess: see `fit_network_heat`.
        actions: see `fit_network_heat`.
        calibration_set: see `fit_network_heat`; images that cannot be read are passed over.
        show_progress: see `fit_network_heat`.

    Returns:
        Values of the actions that the images' objects afford, and of those that they do not.
    """
    peaks: dict[bool, list[float]] = {True: [], False: []}
    everything = torch.arange(len(actions))
    progress = tqdm(
        calibration_set.images, desc="calibrate", disable=None if show_progress else True
    )
    for path, name in progress:
        try:
            pixels, _ = preprocess(read_rgb(path))
        except InvalidImageError:
            continue  # others speak for it; evaluation and the data check name the file
        maps = network.raw_maps(torch.from_numpy(pixels)[None], everything)
        highest = maps.amax(dim=(1, 2)).tolist()
        afforded = calibration_set.affordances.get(name, ())
        for action, peak in zip(actions, highest, strict=True):
            peaks[action in afforded].append(peak)
    return peaks[True], peaks[False]
