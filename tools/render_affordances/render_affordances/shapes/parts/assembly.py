"""Putting an object together: surfaces, its pose at rest, its grips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from render_affordances.meshes.geometry import Mesh, turn_matrix
from render_affordances.meshes.model import Array, Finish, Grip, ObjectModel, Surface, ToolEnd


def finish(random: Generator, *kinds: str) -> Finish:
    """Choose one of several kinds of material, and its seed."""
    return Finish(str(random.choice(kinds)), int(random.integers(1 << 30)))


def surface(
    mesh: Mesh,
    material: Finish,
    part: ArrayLike = 0,
    *,
    smooth: bool = True,
    bevel: float = 0.0,
) -> Surface:
    """Make a surface; `part` is one id, or an id for each face."""
    vertices, faces = mesh
    ids = np.broadcast_to(np.asarray(part, dtype=np.uint8), (len(faces),)).copy()
    return Surface(np.asarray(vertices), tuple(faces), ids, material, smooth, bevel)


def unit(vector: ArrayLike) -> Array:
    """Scale a vector to length 1."""
    given = np.asarray(vector, dtype=np.float64)
    return np.asarray(given / np.linalg.norm(given))


def grip(grasp: str, point: ArrayLike, normal: ArrayLike, axis: ArrayLike, width: float) -> Grip:
    """Make a grip; the axis is made square to the normal, both are scaled to length 1."""
    outward = unit(normal)
    along = np.asarray(axis, dtype=np.float64)
    along = unit(along - outward * float(along @ outward))
    return Grip(grasp, np.asarray(point, dtype=np.float64), outward, along, float(width))


def end(point: ArrayLike, direction: ArrayLike, edge: ArrayLike, length: float) -> ToolEnd:
    """Make a tool's end; directions are scaled to length 1."""
    return ToolEnd(np.asarray(point, dtype=np.float64), unit(direction), unit(edge), length)


def turned_object(model: ObjectModel, axis: str, degrees: float) -> ObjectModel:
    """Rotate an object with its grips and ends about an axis through the origin."""
    return transformed(model, turn_matrix(axis, degrees), np.zeros(3))


def transformed(model: ObjectModel, rotation: Array, shift: Array) -> ObjectModel:
    """Rotate an object about the origin, then shift it; grips and ends go along."""
    surfaces = tuple(
        replace(part, vertices=part.vertices @ rotation.T + shift) for part in model.surfaces
    )
    grips = {
        action: tuple(
            replace(
                one,
                point=rotation @ one.point + shift,
                normal=rotation @ one.normal,
                axis=rotation @ one.axis,
            )
            for one in several
        )
        for action, several in model.grips.items()
    }
    ends = {
        action: ToolEnd(
            rotation @ tool.point + shift,
            rotation @ tool.direction,
            rotation @ tool.edge,
            tool.length,
        )
        for action, tool in model.ends.items()
    }
    members = tuple(box @ rotation.T + shift for box in model.members)
    return replace(model, surfaces=surfaces, grips=grips, ends=ends, members=members)


def stretched(model: ObjectModel, factors: ArrayLike) -> ObjectModel:
    """Change an object's proportions along its own axes; grips and ends go along.

    Args:
        model: an object, standing or lying on z = 0.
        factors: (3,) above 0, along x, y and z.
    """
    scale = np.asarray(factors, dtype=np.float64)
    surfaces = tuple(replace(part, vertices=part.vertices * scale) for part in model.surfaces)
    grips = {
        action: tuple(
            grip(
                one.grasp,
                one.point * scale,
                one.normal / scale,
                one.axis * scale,
                # What the hand closes around lies across the part's axis.
                one.width * float(np.linalg.norm(scale * np.cross(one.axis, one.normal))),
            )
            for one in several
        )
        for action, several in model.grips.items()
    }
    ends = {
        action: end(
            tool.point * scale,
            tool.direction * scale,
            tool.edge * scale,
            tool.length * float(np.linalg.norm(tool.edge * scale)),
        )
        for action, tool in model.ends.items()
    }
    members = tuple(box * scale for box in model.members)
    return replace(model, surfaces=surfaces, grips=grips, ends=ends, members=members)


def at_rest(model: ObjectModel) -> ObjectModel:
    """Shift an object so that its lowest point is at z = 0 and its footprint about the origin."""
    low, high = model.vertices.min(axis=0), model.vertices.max(axis=0)
    middle = (low + high) / 2
    return transformed(model, np.eye(3), -np.array([middle[0], middle[1], low[2]]))


def assemble(
    name: str,
    family: str,
    surfaces: list[Surface],
    parts: Mapping[str, int],
    affords: Mapping[str, tuple[str, ...]],
    grips: Mapping[str, list[Grip]],
    **rest: Any,
) -> ObjectModel:
    """Make an object and set it down."""
    return at_rest(
        ObjectModel(
            name,
            family,
            tuple(surfaces),
            dict(parts),
            dict(affords),
            {action: tuple(several) for action, several in grips.items()},
            **rest,
        )
    )


def assemble_seat(name: str, family: str, surfaces: list[Surface], high: float) -> ObjectModel:
    """Put a seat together: its first surface is what one sits on.

    Args:
        name: class of the object.
        family: shape family.
        surfaces: the seat first.
        high: top of the seat above the floor, in m.
    """
    held = grip("palm", (0, 0, high), (0, 0, 1), (0, 1, 0), 0.3)
    return assemble(
        name,
        family,
        surfaces,
        {"seat": 1},
        {"sit_on": ("seat",)},
        {"sit_on": [held]},
        support="floor",
    )
