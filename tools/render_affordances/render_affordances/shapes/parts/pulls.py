"""Pulls and handles of fronts that open."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import (
    Mesh,
    facing_front,
    merge,
    moved,
    revolve,
    sweep,
)
from render_affordances.meshes.model import Array, Finish, Grip, Surface
from render_affordances.shapes.parts.assembly import grip, surface
from render_affordances.shapes.parts.tools import straight_rod

METALS = ("steel", "brushed_metal", "brass", "dark_metal", "painted_metal", "plastic", "wood")
PULLS = ("bow", "bar", "knob", "strip", "ring")


def pull(
    random: Generator, style: str, length: float, upright: bool, size: float = 1.0
) -> tuple[Mesh, float, float]:
    """Make a pull that stands out from a front at y = 0 towards -y, about the origin.

    Args:
        random: chooses its sizes.
        style: one of `PULLS`.
        length: half its extent along the front.
        upright: along z instead of along x.
        size: multiplies its thickness and how far it stands out; those of appliances are larger.

    Returns:
        The mesh, how far out its grip is, and the width of the bar.
    """
    out, radius = random.uniform(0.022, 0.035) * size, random.uniform(0.0038, 0.0065) * size
    s = np.linspace(-1, 1, 26)
    if style == "knob":
        wide = random.uniform(0.011, 0.018)
        line = [(0, 0), (wide * 0.45, 0), (wide * 0.4, out * 0.4), (wide * 0.95, out * 0.6)]
        line += [(wide, out * 0.8), (wide * 0.6, out), (0, out * 1.03)]
        return facing_front(revolve(line, 28)), out * 0.75, 2 * wide
    if style == "ring":
        angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        size = length * 0.45
        ring = np.column_stack(
            [size * np.cos(angle), -0.012 + 0 * angle, size * np.sin(angle) - size]
        )
        return sweep(ring, radius * 0.8, 10, closed=True), 0.012, 2 * radius
    if style == "bow":
        path = np.column_stack([s * length, -out * (1 - s**6), 0 * s])
        bar: Mesh = sweep(path, radius, 14, up=(0, 0, 1))
    else:
        thick = (radius, radius) if style == "bar" else (radius * 0.6, radius * 1.8)
        power = 1.0 if style == "bar" else 0.3
        rod = sweep(
            np.column_stack([s * length, -out + 0 * s, 0 * s]),
            thick,
            14,
            up=(0, 1, 0) if style == "strip" else (0, 0, 1),
            power=power,
        )
        posts = [
            straight_rod(np.array([x, 0.004, 0]), np.array([x, -out, 0]), radius * 0.8)
            for x in (-length * 0.8, length * 0.8)
        ]
        bar = merge(rod, *posts)
    if upright:
        bar = (bar[0][:, [2, 1, 0]] * [-1, 1, 1], bar[1])
    return bar, out, 2 * radius


def hooked(point: Array, upright: bool, width: float) -> Grip:
    """Hook the fingers behind a bar and pull towards the viewer."""
    return grip("hook", point, (0, -1, 0), (0, 0, 1) if upright else (1, 0, 0), width)


def fastened(
    made: tuple[Mesh, float, float], at: Array, material: Finish, upright: bool
) -> tuple[Surface, Grip]:
    """Put a pull on a front that opens.

    Args:
        made: by `pull`.
        at: (3,) where the middle of the pull meets the front.
        material: of the pull.
        upright: as it was made.

    Returns:
        The pull, part 1 of the object, and how it is held.
    """
    mesh, out, width = made
    return (
        surface(moved(mesh, at), material, 1),
        hooked(at + np.array([0, -out, 0]), upright, width),
    )


def pull_style(random: Generator) -> str:
    """Choose a style of pull."""
    return str(random.choice(PULLS, p=[0.26, 0.26, 0.24, 0.16, 0.08]))
