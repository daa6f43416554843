"""Photographs that come with scikit-image, and where in them an action happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_core.images import read_rgb
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.inference.result import Box
from affordance_grounding_ros.demo.orientations import (
    ACTION,
    HANDLE,
    IMAGE,
    ORIENTATIONS,
    is_on_handle,
)
from tools.gallery.cells import Cell, Verdict, judge, judge_right_pair, make_cell


@dataclass(frozen=True)
class Photograph:
    """One photograph and what is asked about it.

    Attributes:
        file: name in scikit-image's data folder.
        name: of what is seen.
        places: action to boxes in px that its place lies in, marked by hand; no box where the
            action is not afforded.
    """

    file: str
    name: str
    places: Mapping[str, tuple[Box, ...]]


PHOTOGRAPHS = (
    Photograph(
        "coffee.png",
        "coffee cup",
        {
            "drink_with": (Box(170, 15, 240, 190),),
            "hold": (HANDLE, Box(380, 60, 50, 145)),
            "stir": (Box(320, 225, 90, 105),),
            "pour": (),
            "cut_with": (),
        },
    ),
    Photograph(
        "motorcycle_left.png",
        "motorcycle",
        {
            "hold": (Box(325, 100, 110, 85), Box(135, 140, 40, 70)),
            "sit_on": (Box(145, 150, 220, 85), Box(45, 105, 250, 110)),
            "ride": (Box(145, 150, 220, 85), Box(325, 100, 110, 85)),
            "drink_with": (),
        },
    ),
    Photograph("chelsea.png", "cat", {"hit": (), "open": ()}),
)
"""CC0 but for the motorcycle, which is from the Middlebury 2014 stereo benchmark."""


def photograph_cells(grounder: Grounder) -> list[Cell]:
    """Ask about every photograph what the model knows of its actions.

    Args:
        grounder: to ask.

    Raises:
        AffordanceGroundingError: scikit-image is not installed.
    """
    return [
        cell
        for photograph in PHOTOGRAPHS
        for cell in _cells(
            grounder, photograph, [a for a in photograph.places if a in grounder.actions]
        )
    ]


def orientation_cells(grounder: Grounder) -> list[Cell]:
    """Ask where to hold the cup of coffee, as eight cameras see it, with looks at all turns.

    Args:
        grounder: to ask; its own looks stay what they are.

    Raises:
        AffordanceGroundingError: scikit-image is not installed.
    """
    if ACTION not in grounder.actions:
        return []
    upright = read_rgb(_folder() / IMAGE)
    looks, grounder.looks = grounder.looks, "turns"
    try:
        cells = []
        for orientation in ORIENTATIONS:
            seen = np.ascontiguousarray(orientation.apply(upright))
            result = grounder.ground(seen, ACTION)
            verdict = judge_right_pair(
                found=result.found, on_part=is_on_handle(result.heatmap, orientation)
            )
            cells.append(make_cell(orientation.name, seen, result, verdict))
        return cells
    finally:
        grounder.looks = looks


def unjudged_cells(grounder: Grounder, actions: Sequence[str]) -> list[Cell]:
    """Ask about every photograph actions that nobody has judged, as those a user has taught.

    Args:
        grounder: to ask.
        actions: that it knows.

    Raises:
        AffordanceGroundingError: scikit-image is not installed.
    """
    return [cell for photograph in PHOTOGRAPHS for cell in _cells(grounder, photograph, actions)]


def _cells(grounder: Grounder, photograph: Photograph, actions: Sequence[str]) -> list[Cell]:
    if not actions:
        return []
    image = read_rgb(_folder() / photograph.file)
    cells = []
    for result in grounder.ground_several(image, actions):
        places = photograph.places.get(result.action)
        verdict: Verdict = "" if places is None else judge(result, places)
        cells.append(make_cell(photograph.name, image, result, verdict))
    return cells


def _folder() -> Path:
    try:
        from skimage import data
    except ImportError as error:
        raise AffordanceGroundingError(
            "the photographs come with scikit-image, which is not installed; install it with "
            "`pip install scikit-image`"
        ) from error
    return Path(data.__file__).parent
