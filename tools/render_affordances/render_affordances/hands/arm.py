"""The forearm behind a hand: how the wrist bends so that it is free, its mesh, its sleeve."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from render_affordances.hands.closing import Array, Placement
from render_affordances.hands.contact import Distances
from render_affordances.meshes.geometry import Mesh, sweep

LENGTH = 0.26
"""Of the forearm, in metres."""

_WRIST = np.array([-0.0375, -0.0100, -0.045])
_CLEARANCE = 0.03
_BENDS = 8


def free_direction(
    placement: Placement, surface: Distances, floor: float | None, random: Generator
) -> Array | None:
    """Bend the wrist until the forearm is clear of the object and the table.

    Args:
        placement: of the hand.
        surface: of the object and its target.
        floor: height of the table, None where there is none.
        random: draws the bends.

    Returns:
        (3,) unit vector from the wrist to the elbow in the frame of the hand, None where every
        bend that was drawn is blocked.
    """
    for _ in range(_BENDS):
        # Wrists bend more to the side of the little finger than of the thumb.
        aside, across = random.normal(-0.15, 0.22), random.normal(0.0, 0.2)
        direction = np.array([across, aside, -1.0])
        direction /= np.linalg.norm(direction)
        share = np.linspace(0.12, 0.8, 8)[:, None]
        middle = placement.apply(_WRIST + [0, 0, -0.02] + share * LENGTH * direction)
        if floor is not None and float(middle[:, 2].min()) < floor + _CLEARANCE:
            continue
        if float(surface.signed_distance(middle).min()) > _CLEARANCE:
            return direction
    return None


def forearm(direction: Array) -> Mesh:
    """Mesh of the bare forearm in the frame of the hand, its first ring inside the wrist."""
    path = _path(direction)
    share = np.linspace(0, 1, len(path))
    thin = np.array([0.0160, 0.0240])
    start = np.minimum(share / 0.1, 1.0)[:, None]
    radii = thin * (1 + 0.1 * start) + np.array([0.018, 0.016]) * share[:, None] ** 0.8
    return sweep(path, radii, 28, up=(1.0, 0.0, 0.0))


def sleeve(direction: Array, start: float, slack: float) -> Mesh:
    """Mesh of a sleeve in the frame of the hand.

    Args:
        direction: from wrist to elbow.
        start: where its cuff is, as a share of the forearm, 0.12 to 0.7.
        slack: distance from the skin in metres.
    """
    path, share = _path(direction), np.linspace(0, 1, 24)
    keep = share >= start
    radii = np.array([0.0176, 0.0264]) + np.array([0.018, 0.016]) * share[:, None] ** 0.8 + slack
    folds = 1 + 0.03 * np.sin(share * 47)[:, None] * (share[:, None] > start + 0.06)
    return sweep(path[keep], (radii * folds)[keep], 28, up=(1.0, 0.0, 0.0))


def _path(direction: Array) -> Array:
    share = np.linspace(0, 1, 24)[:, None]
    bend = np.clip((share - 0.04) / 0.2, 0, 1)
    heading = (1 - bend) * np.array([0.0, 0.0, -1.0]) + bend * direction
    heading /= np.linalg.norm(heading, axis=1, keepdims=True)
    steps = heading * (LENGTH / 23)
    return np.asarray(_WRIST + np.concatenate([np.zeros((1, 3)), np.cumsum(steps[:-1], axis=0)]))
