"""Valves on pipes."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import (
    Mesh,
    curve,
    facing_front,
    merge,
    moved,
    revolve,
    sweep,
    turned,
)
from render_affordances.meshes.model import Grip, ObjectModel
from render_affordances.shapes.parts.assembly import (
    assemble,
    at_rest,
    finish,
    grip,
    surface,
    turned_object,
)
from render_affordances.shapes.taps import cross_handle


def _wheel(random: Generator, out: float) -> tuple[Mesh, Grip]:
    radius = random.uniform(0.035, 0.07)
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    circle = np.column_stack([radius * np.cos(angle), 0 * angle, radius * np.sin(angle)])
    pieces = [sweep(circle, random.uniform(0.005, 0.009), 12, closed=True, up=(0, 1, 0))]
    rod = sweep(np.linspace((0, 0, 0), (radius, 0, 0), 4), 0.005, 10, up=(0, 1, 0))
    angles = np.linspace(0, 360, int(random.integers(3, 6)), endpoint=False)
    pieces += [(turned(rod[0], "y", float(degrees)), rod[1]) for degrees in angles]
    held = grip("twist", (0, -out, 0), (0, -1, 0), (0, 0, 1), 2 * radius)
    return moved(merge(*pieces), (0, -out, 0)), held


def _cross(random: Generator, out: float) -> tuple[Mesh, Grip]:
    radius = random.uniform(0.035, 0.05)
    mesh = moved(facing_front(cross_handle(radius, 0.03)), (0, -out + 0.01, 0))
    return mesh, grip("twist", (0, -out - 0.01, 0), (0, -1, 0), (0, 0, 1), 2 * radius)


def _lever(random: Generator, out: float) -> tuple[Mesh, Grip]:
    length = random.uniform(0.08, 0.14)
    line = [(0, -out, 0), (length * 0.3, -out - 0.012, 0), (length, -out - 0.012, 0)]
    bar = sweep(curve(line, 14), (0.003, 0.009), 14, up=(0, 1, 0), power=0.5)
    points = turned(bar[0], "y", float(random.choice([0, 90, 180, 45])))
    centre = points.mean(axis=0)
    return (points, bar[1]), grip("power", centre, (0, -1, 0), centre * [1, 0, 1], 0.018)


_HANDLES = {"wheel": _wheel, "cross": _cross, "lever": _lever}


def build_valve(random: Generator) -> ObjectModel:
    """Build a valve on a pipe: a hand wheel, a cross or a ball valve's lever."""
    family = str(random.choice(["wheel", "wheel", "lever", "cross"]))
    pipe, long = random.uniform(0.014, 0.026), random.uniform(0.14, 0.3)
    tube = sweep(np.linspace((-long, 0, 0), (long, 0, 0), 8), pipe, 24, up=(0, 0, 1))
    corners = int(random.choice([6, 24]))
    flanges = [
        sweep(np.linspace((x, 0, 0), (x + 0.012, 0, 0), 3), pipe * 1.45, corners, up=(0, 0, 1))
        for x in (-0.055, 0.043)
    ]
    neck = [(0, 0), (pipe * 0.8, 0), (pipe * 0.7, pipe + 0.02), (0.007, pipe + 0.025)]
    stem = facing_front(revolve([*neck, (0.006, pipe + 0.06), (0, pipe + 0.06)], 24))
    mesh, held = _HANDLES[family](random, pipe + 0.05)
    metal = finish(random, "brass", "steel", "painted_metal", "dark_metal", "brushed_metal")
    colour = finish(random, "painted_metal", "painted_metal", "plastic", "brass")
    valve = assemble(
        "valve",
        family,
        [surface(merge(tube, *flanges), metal), surface(stem, metal), surface(mesh, colour, 1)],
        {"handle": 1},
        {"turn": ("handle",)},
        {"turn": [held]},
        support="wall",
    )
    return at_rest(turned_object(valve, "y", 90.0)) if random.random() < 0.5 else valve
