"""Cushions and padded blocks."""

from __future__ import annotations

from numpy.random import Generator

from render_affordances.meshes.geometry import Mesh, loft, moved, rounded_rectangle, turned
from render_affordances.meshes.model import Array, Finish, Surface
from render_affordances.shapes.parts.assembly import finish, surface


def padded(size: tuple[float, float, float], puff: float, radius: float = 0.04) -> Mesh:
    """Make a padded block on z = 0, about the z axis, whose top bulges.

    Args:
        size: along x, y and z, without the bulge, in metres.
        puff: height of the bulge in metres.
        radius: of the corners seen from above, in metres.
    """
    wide, deep, high = size
    least = min(wide, deep)
    edge = min(0.3 * high, 0.12 * least, 0.035)
    insets = [edge, 0.25 * edge, 0.0, 0.25 * edge, edge, 0.22 * least, 0.44 * least]
    heights = [0.0, 0.5 * edge, edge, high - edge, high, high + 0.8 * puff, high + puff]
    if puff <= 0:
        insets, heights = insets[:5], heights[:5]
    outlines = [
        rounded_rectangle(wide - 2 * inset, deep - 2 * inset, max(radius - inset, 0.006))
        for inset in insets
    ]
    return loft(outlines, heights)


def upright(mesh: Mesh) -> Mesh:
    """Stand a block built by `padded` on its back edge: its top looks forward, along -y."""
    return turned(mesh[0], "x", 90), mesh[1]


def leaning(mesh: Mesh, degrees: float) -> Mesh:
    """Tilt a mesh backwards (its top towards +y) about the x axis."""
    return turned(mesh[0], "x", -degrees), mesh[1]


def pillow(random: Generator, at: Array, lean: float) -> Surface:
    """Make a loose cushion that leans against a back.

    Args:
        random: chooses size and material.
        at: (3,) the middle of its lower edge.
        lean: angle from upright in degrees.
    """
    side = random.uniform(0.3, 0.45)
    mesh = padded((side, side * random.uniform(0.7, 1.0), 0.05), 0.05, 0.03)
    mesh = upright(moved(mesh, (0, 0, 0)))
    points = mesh[0] - [0, 0, mesh[0][:, 2].min()]
    points = turned(points, "y", float(random.normal(0, 8)))
    points = turned(points, "x", -lean)
    points = points - [0, 0, points[:, 2].min()]
    return surface((points + at, mesh[1]), finish(random, "fabric", "cloth", "label", "leather"))


def upholstery(random: Generator) -> Finish:
    """Choose a cover: cloth, leather or a printed cloth."""
    return finish(random, "fabric", "fabric", "fabric", "cloth", "leather", "leather", "label")
