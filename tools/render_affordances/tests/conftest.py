"""A hand of boxes and tubes, jointed like the published one, which is not in this repository."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from render_affordances.hands.rig import DIGITS, FINGERS, HandRig
from render_affordances.meshes.geometry import sweep

_ROOTS = {"index": 0.014, "middle": -0.007, "ring": -0.027, "pinky": -0.044}
_BONES = {"index": (0.045, 0.024, 0.02), "middle": (0.046, 0.027, 0.021)}
_BONES |= {"ring": (0.042, 0.026, 0.02), "pinky": (0.034, 0.019, 0.019)}
_THUMB = np.array(
    [(-0.02, 0.019, -0.02), (-0.005, 0.036, 0.003), (0.005, 0.058, 0.027), (0.01, 0.069, 0.036)]
)


@pytest.fixture(scope="session")
def toy_rig() -> HandRig:
    """About 900 vertices, in the proportions of a hand."""
    palm, faces = sweep(
        np.stack([np.full(14, -0.032), np.full(14, -0.008), np.linspace(-0.07, 0.034, 14)], axis=1),
        np.tile([[0.014, 0.042]], (14, 1)),
        32,
        power=0.6,
        up=(1.0, 0.0, 0.0),
    )
    vertices, corners = [palm], [*faces]
    owners = [("", len(palm))]
    joints: dict[str, np.ndarray] = {}
    axes: dict[str, np.ndarray] = {}
    for digit in DIGITS:
        names, heads = _chain(digit)
        joints |= dict(zip(names, heads, strict=True))
        axis = [0.0, 1.0, 0.0] if digit != "thumb" else [0.87, 0.0, -0.48]
        axes |= {name: np.array(axis) for name in names}
        for bone in range(3):
            tube, faces = _tube(heads[bone], heads[bone + 1], last=bone == 2)
            offset = sum(count for _, count in owners)
            corners += [tuple(i + offset for i in face) for face in faces]
            vertices.append(tube)
            owners.append((names[bone], len(tube)))
    total = sum(count for _, count in owners)
    weights = {name: np.zeros(total) for name in joints}
    start = 0
    for name, count in owners:
        if name:
            weights[name][start : start + count] = 1.0
        start += count
    triangles = [(f[0], b, c) for f in corners for b, c in pairwise(f[1:])]
    return HandRig(np.concatenate(vertices), np.array(triangles), joints, axes, weights)


def _chain(digit: str) -> tuple[list[str], list[np.ndarray]]:
    if digit == "thumb":
        bones = ["metacarpal", "phalanx-proximal", "phalanx-distal", "tip"]
        return [f"thumb-{bone}" for bone in bones], list(_THUMB)
    assert digit in FINGERS
    bones = ["phalanx-proximal", "phalanx-intermediate", "phalanx-distal", "tip"]
    heights = 0.033 + np.concatenate([[0.0], np.cumsum(_BONES[digit])])
    return (
        [f"{digit}-finger-{bone}" for bone in bones],
        [np.array([-0.03, _ROOTS[digit], z]) for z in heights],
    )


def _tube(start: np.ndarray, stop: np.ndarray, last: bool) -> tuple[np.ndarray, list]:
    share = np.linspace(0, 1, 7)[:, None]
    radius = np.full(7, 0.0085)
    if last:
        radius[-1] = 0.0075
    return sweep((1 - share) * start + share * stop, radius, 10, up=(1.0, 0.0, 0.0))
