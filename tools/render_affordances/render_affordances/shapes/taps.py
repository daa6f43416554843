"""Taps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import (
    Mesh,
    box,
    curve,
    merge,
    moved,
    revolve,
    sweep,
    turned,
)
from render_affordances.meshes.model import Array, Grip, ObjectModel
from render_affordances.shapes.parts.assembly import assemble, finish, grip, surface

CHROME = ("steel", "steel", "brushed_metal", "brass", "dark_metal", "painted_metal")


def cross_handle(radius: float, high: float) -> Mesh:
    """Make a cross handle about the z axis, from z = 0 to z = high."""
    arms = []
    for degrees in (0.0, 90.0):
        rod = sweep(
            np.linspace((-radius, 0, high * 0.7), (radius, 0, high * 0.7), 9),
            0.005 + 0.002 * np.abs(np.linspace(-1, 1, 9)),
            12,
            up=(0, 0, 1),
        )
        arms.append((turned(rod[0], "z", degrees), rod[1]))
    hub = revolve([(0, 0), (0.009, 0), (0.009, high), (0, high * 1.05)], 20)
    return merge(hub, *arms)


def _tap_knob(random: Generator) -> Mesh:
    radius, high = random.uniform(0.015, 0.022), random.uniform(0.02, 0.035)
    mesh = revolve(
        [
            (0, 0),
            (radius * 0.5, 0),
            (radius * 0.5, 0.008),
            (radius, 0.012),
            (radius * 0.9, high),
            (0, high * 1.05),
        ],
        40,
    )
    flute = 1 + 0.08 * np.cos(8 * np.arctan2(mesh[0][:, 1], mesh[0][:, 0]))
    return mesh[0] * np.column_stack([flute, flute, np.ones_like(flute)]), mesh[1]


def _lever(random: Generator) -> Mesh:
    length = random.uniform(0.05, 0.09)
    s = np.linspace(0, 1, 14)
    path = np.column_stack([0 * s, -length * s, 0.016 + random.uniform(0.0, 0.05) * s])
    bar = sweep(path, np.column_stack([0.006 + 0.004 * s, 0.006 - 0.002 * s]), 14, up=(1, 0, 0))
    return merge(revolve([(0, 0), (0.014, 0), (0.013, 0.018), (0, 0.02)], 24), bar)


def _top_handle(random: Generator, style: str) -> tuple[Mesh, Grip]:
    """A tap's handle standing on the origin, and how it is held."""
    if style == "lever":
        mesh = _lever(random)
        tip = mesh[0][mesh[0][:, 1].argmin()]
        return mesh, grip("pinch", (0, tip[1] * 0.6, 0.03), (0, 0, 1), (0, -1, 0), 0.016)
    mesh = (
        cross_handle(random.uniform(0.026, 0.036), 0.03) if style == "cross" else _tap_knob(random)
    )
    return mesh, grip("twist", (0, 0, 0.02), (0, 0, 1), (1, 0, 0), float(np.ptp(mesh[0][:, 0])))


@dataclass(frozen=True)
class _Place:
    """Where a handle goes: about z, then tilted about y, in degrees, then shifted."""

    at: tuple[float, float, float]
    turn: float
    tilt: float = 0.0


def _neck(random: Generator, high: float, reach: float) -> Mesh:
    """A spout on a post: a swan's neck, or one that runs flat and ends in a short drop."""
    top = min(high, 0.5 * reach + high * 0.6)
    points = [
        (0, 0, 0),
        (0, 0, high * 0.75),
        (0, -reach * 0.35, top + high * 0.25),
        (0, -reach * 0.85, top),
        (0, -reach, top - random.uniform(0.02, 0.05)),
    ]
    if random.random() < 0.35:
        points = [
            (0, 0, 0),
            (0, 0, high * 0.6),
            (0, -reach * 0.2, high * 0.68),
            (0, -reach, high * 0.72),
            (0, -reach * 1.03, high * 0.64),
        ]
    return sweep(curve(points, 40), random.uniform(0.009, 0.014), 20, up=(1, 0, 0))


def _base() -> Mesh:
    return revolve(
        [(0, 0), (0.028, 0), (0.027, 0.012), (0.017, 0.02), (0.016, 0.03), (0, 0.03)], 32
    )


def _two_handled(random: Generator, high: float, reach: float) -> tuple[list[Mesh], list[_Place]]:
    gap = random.uniform(0.06, 0.1)
    foot = revolve([(0, 0), (0.024, 0), (0.016, 0.012), (0.013, 0.035), (0, 0.035)], 28)
    bar = box((0, 0, 0.006), (2 * gap + 0.03, 0.045, 0.014))
    feet = [moved(foot, (side * gap, 0, 0)) for side in (-1, 1)]
    places = [
        _Place((side * gap, 0, 0.035), float(random.uniform(-25, 25) + side * 35))
        for side in (-1, 1)
    ]
    return [_neck(random, high, reach), _base(), bar, *feet], places


def _side_handled(random: Generator, high: float, reach: float) -> tuple[list[Mesh], list[_Place]]:
    side = float(random.choice([-1, 1]))
    at = (side * 0.024, 0.0, high * 0.3)
    arm = sweep(np.linspace((0, 0, high * 0.3), at, 4), 0.012, 16, up=(0, 1, 0))
    return [_neck(random, high, reach), _base(), arm], [_Place(at, 0.0, 90.0 * side)]


def _one_levered(random: Generator, high: float, reach: float) -> tuple[list[Mesh], list[_Place]]:
    line = [(0, 0, high * 0.35), (0, -reach * 0.5, high * 0.5), (0, -reach, high * 0.45)]
    radius = random.uniform(0.009, 0.014)
    spout = sweep(curve(line, 20), (radius * 1.2, radius), 18, up=(1, 0, 0))
    post = revolve([(0, 0), (0.027, 0), (0.024, high * 0.5), (0, high * 0.52)], 32)
    return [spout, post], [_Place((0, 0, high * 0.51), float(random.uniform(-20, 20)))]


def _garden(random: Generator, high: float, reach: float) -> tuple[list[Mesh], list[_Place]]:
    """A tap out of a wall; its size is always much the same."""
    back = sweep(np.linspace((0, 0.06, 0.05), (0, -0.02, 0.05), 6), 0.012, 16, up=(0, 0, 1))
    line = curve([(0, -0.015, 0.05), (0, -0.045, 0.045), (0, -0.055, 0.0)], 14)
    post = moved(revolve([(0, 0), (0.008, 0), (0.008, 0.03), (0, 0.03)], 20), (0, 0, 0.055))
    pieces = [back, sweep(line, 0.01, 16, up=(1, 0, 0)), post]
    return pieces, [_Place((0, 0, 0.08), float(random.uniform(-60, 60)))]


_TAPS: dict[str, Callable[[Generator, float, float], tuple[list[Mesh], list[_Place]]]] = {
    "garden": _garden,
    "one_lever": _one_levered,
    "side_lever": _side_handled,
    "two_handles": _two_handled,
}


def build_faucet(random: Generator) -> ObjectModel:
    """Build a tap: one lever, two handles, or a garden tap."""
    family = str(random.choice(sorted(_TAPS)))
    style = str(random.choice(["lever", "cross", "knob"])) if family != "one_lever" else "lever"
    high, reach = random.uniform(0.08, 0.24), random.uniform(0.09, 0.16)
    pieces, places = _TAPS[family](random, high, reach)
    metal = finish(random, *CHROME)
    other = finish(random, "plastic", "painted_metal", "porcelain")
    other = metal if random.random() < 0.75 else other
    surfaces, grips = [surface(mesh, metal) for mesh in pieces], []
    for place in places:
        mesh, held = _turned_handle(*_top_handle(random, style), place)
        surfaces.append(surface(mesh, other, 1))
        grips.append(held)
    return assemble(
        "faucet",
        f"{family}_{style}",
        surfaces,
        {"handle": 1},
        {"turn": ("handle",)},
        {"turn": grips},
        support="wall" if family == "garden" else "table",
    )


def _turned_handle(mesh: Mesh, held: Grip, place: _Place) -> tuple[Mesh, Grip]:
    """Put a handle in its place."""

    def there(points: Array) -> Array:
        return turned(turned(points, "z", place.turn), "y", place.tilt)

    point, normal, axis = (there(v[None])[0] for v in (held.point, held.normal, held.axis))
    moved_grip = grip(held.grasp, point + np.array(place.at), normal, axis, held.width)
    return moved((there(mesh[0]), mesh[1]), place.at), moved_grip
