"""What long tools share: a handle along the x axis, and how the tool is gripped there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import Mesh, curve, sweep
from render_affordances.meshes.model import Array, Grip, ObjectModel, Surface, ToolEnd
from render_affordances.shapes.parts.assembly import assemble, grip

HANDLE_STYLES = ("straight", "swelling", "waisted", "scaled", "bent")


def bar_handle(random: Generator, length: float, thick: float, wide: float) -> tuple[Mesh, float]:
    """Make a handle from x = 0 back to x = -length, lying in the xy plane.

    Args:
        random: chooses its shape.
        length: in metres.
        thick: half its extent along z.
        wide: half its extent along y.

    Returns:
        The mesh, and its width across in the middle.
    """
    style = str(random.choice(HANDLE_STYLES))
    share = np.linspace(0, 1, 28)
    swell = {
        "straight": 1 + 0 * share,
        "swelling": 0.75 + 0.35 * np.sin(np.pi * share),
        "waisted": 1.1 - 0.3 * np.sin(np.pi * share),
        "scaled": 0.95 + 0.12 * np.cos(4 * np.pi * share),
        "bent": 0.8 + 0.3 * share,
    }[style]
    sag = random.uniform(0.03, 0.09) * length * np.sin(np.pi * share / 2) ** 2
    sag = sag * (1 if style == "bent" else random.uniform(0, 0.25)) * random.choice([-1, 1])
    path = np.column_stack([-share * length, sag, 0 * share])
    ends = np.ones(28)
    ends[0], ends[-1], ends[-2] = 0.9, random.uniform(0.45, 0.8), 0.92
    radii = np.column_stack([thick * swell * ends, wide * swell * ends])
    power = float(random.uniform(0.55, 1.0))
    mesh = sweep(path, radii, 20, power=power, up=(0, 0, 1))
    return mesh, 2 * wide * float(swell[14])


def held_at(mesh: Mesh, width: float, share: float = 0.5) -> Grip:
    """Grip a bar handle from above, `share` of the way from its lowest x to its highest."""
    low, high = mesh[0].min(axis=0), mesh[0].max(axis=0)
    x = low[0] + (high[0] - low[0]) * share
    near = mesh[0][np.abs(mesh[0][:, 0] - x) < 0.06 * (high[0] - low[0]) + 1e-3]
    return grip("power", near.mean(axis=0), (0, 0, 1), (1, 0, 0), width)


def long_tool(
    name: str,
    family: str,
    surfaces: list[Surface],
    working_part: str,
    action: str,
    held: Grip,
    acting: ToolEnd,
) -> ObjectModel:
    """Assemble a tool whose handle is part 1 and whose working part is part 2."""
    parts: Mapping[str, int] = {"handle": 1, working_part: 2}
    return assemble(
        name,
        family,
        surfaces,
        parts,
        {"hold": ("handle",), action: (working_part,)},
        {"hold": [held], action: [held]},
        ends={action: acting},
    )


def straight_rod(start: Array, stop: Array, radius: float, count: int = 12) -> Mesh:
    """Make a round rod between two points."""
    line = np.linspace(start, stop, count)
    along = np.abs(np.asarray(stop) - np.asarray(start))
    up = (0.0, 0.0, 1.0) if along[2] < along.max() else (0.0, 1.0, 0.0)
    return sweep(line, radius, 14, up=up)


def bent_rod(points: list[tuple[float, float, float]], radius: float, count: int = 24) -> Mesh:
    """Make a round rod through a few points, none of its stretches along y."""
    return sweep(curve(points, count), radius, 14)
