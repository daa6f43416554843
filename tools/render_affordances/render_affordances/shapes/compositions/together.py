"""Putting objects together into one model, in which every part that affords an action counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from render_affordances.meshes.geometry import turn_matrix
from render_affordances.meshes.model import Array, Grip, ObjectModel, Surface
from render_affordances.shapes.parts.assembly import stretched, transformed

GAP = 0.008
"""Least distance between things that are scattered on a surface, in metres."""


def put(model: ObjectModel, at: ArrayLike, yaw: float = 0.0) -> ObjectModel:
    """Turn an object about the z axis, `yaw` in degrees, and move it from the origin to `at`."""
    return transformed(model, turn_matrix("z", yaw), np.asarray(at, dtype=np.float64))


def fitted(model: ObjectModel, size: Sequence[float | None]) -> ObjectModel:
    """Stretch an object to outer sizes along x, y and z in metres; None keeps one."""
    now = np.ptp(model.vertices, axis=0)
    return stretched(model, [1.0 if s is None else s / n for s, n in zip(size, now, strict=True)])


def scattered(
    random: Generator,
    models: Sequence[ObjectModel],
    area: tuple[Array, Array],
    height: float,
    turned: bool = True,
) -> list[ObjectModel]:
    """Stand objects on a rectangle so that none overlaps another.

    Args:
        random: decides where and which way round.
        models: to place, the most important first; what finds no place is left out.
        area: lowest and highest (2,) x and y of the rectangle.
        height: of the rectangle.
        turned: any way round; otherwise within 25 degrees of facing -y.
    """
    low, high = area
    boxes: list[tuple[Array, Array]] = []
    placed = []
    for model in models:
        for _ in range(25):
            yaw = float(random.uniform(0, 360)) if turned else float(random.normal(0, 12))
            points = (model.vertices @ turn_matrix("z", yaw).T)[:, :2]
            own_low, own_high = points.min(axis=0), points.max(axis=0)
            if (own_high - own_low > high - low).any():
                continue
            at = random.uniform(low - own_low, high - own_high)
            corner, other = at + own_low - GAP, at + own_high + GAP
            if all((corner > b[1]).any() or (other < b[0]).any() for b in boxes):
                boxes.append((corner, other))
                placed.append(put(model, (*at, height), yaw))
                break
    return placed


def together(
    name: str, family: str, models: Sequence[ObjectModel], support: str = "floor"
) -> ObjectModel:
    """Make one model of several that are in place.

    Its parts are named by the actions they afford, so that a part holds all faces of all objects
    that afford the same. Objects that afford something become its members.

    Args:
        name: of the composition.
        family: likewise.
        models: in place.
        support: of the whole.
    """
    ids: dict[frozenset[str], int] = {}
    surfaces: list[Surface] = []
    grips: dict[str, list[Grip]] = {}
    for model in models:
        size = float(np.linalg.norm(np.ptp(model.vertices, axis=0)))
        new_ids = np.zeros(26, dtype=np.uint8)
        for part, old in model.parts.items():
            given = frozenset(a for a, names in model.affords.items() if part in names)
            if given:
                new_ids[old] = ids.setdefault(given, len(ids) + 1)
        surfaces += [
            replace(one, part=new_ids[one.part], scale=one.scale or size) for one in model.surfaces
        ]
        for action in model.affords:
            grips.setdefault(action, []).extend(model.grips[action])
    named = {"+".join(sorted(given)): given for given in ids}
    made = ObjectModel(
        name,
        family,
        tuple(surfaces),
        {part: ids[given] for part, given in named.items()},
        {a: tuple(part for part, given in named.items() if a in given) for a in grips},
        {action: tuple(several) for action, several in grips.items()},
        support=support,
        members=tuple(_corners(model) for model in models if model.affords),
    )
    middle = (made.vertices.min(axis=0) + made.vertices.max(axis=0)) / 2
    lowest = float(made.vertices[:, 2].min())
    return transformed(made, np.eye(3), -np.array([middle[0], middle[1], lowest]))


def _corners(model: ObjectModel) -> Array:
    """Corners (8, 3) of a model's bounding box."""
    bounds = np.stack([model.vertices.min(axis=0), model.vertices.max(axis=0)])
    choice = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    return bounds[choice, [0, 1, 2]]


def prop(family: str, surfaces: list[Surface]) -> ObjectModel:
    """Make a thing that affords nothing, where its surfaces are."""
    return ObjectModel("prop", family, tuple(surfaces), {}, {}, {}, support="floor")
