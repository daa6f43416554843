"""Things to sit on: chair, stool."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import (
    Mesh,
    box,
    loft,
    merge,
    revolve,
    rounded_rectangle,
    sweep,
)
from render_affordances.meshes.model import ObjectModel
from render_affordances.shapes.parts.assembly import assemble_seat, finish, surface


def _legs(random: Generator, half: float, high: float, radius: float) -> list[Mesh]:
    splay = random.uniform(0, 0.12) * high
    legs = []
    for x in (-1, 1):
        for y in (-1, 1):
            top = np.array([x * half * 0.85, y * half * 0.85, high])
            foot = np.array([x * (half * 0.85 + splay), y * (half * 0.85 + splay), 0])
            legs.append(sweep(np.linspace(foot, top, 6), np.linspace(radius * 0.75, radius, 6), 12))
    return legs


def build_chair(random: Generator) -> ObjectModel:
    """Build a chair with a back, or an arm chair."""
    family = str(random.choice(["slatted", "solid", "cushioned", "arm"]))
    half, high = random.uniform(0.19, 0.25), random.uniform(0.4, 0.48)
    back = random.uniform(0.38, 0.55)
    frame = finish(random, "wood", "wood", "painted_metal", "steel", "plastic", "dark_metal")
    seat_material = (
        frame if family == "slatted" else finish(random, "cloth", "plastic", "paint", "wood")
    )
    thick = random.uniform(0.02, 0.04) if family != "cushioned" else random.uniform(0.06, 0.1)
    outline = rounded_rectangle(2 * half, 2 * half, random.uniform(0.02, half * 0.8))
    seat = loft(
        [outline * 0.96, outline, outline, outline * 0.95],
        [high, high + thick * 0.2, high + thick * 0.8, high + thick],
    )
    lean = random.uniform(0.03, 0.12)
    radius = random.uniform(0.013, 0.022)
    posts = [
        sweep(
            np.linspace(
                (x * half * 0.85, half * 0.88, high),
                (x * half * 0.85, half * 0.88 + lean, high + back),
                6,
            ),
            radius,
            12,
        )
        for x in (-1, 1)
    ]
    surfaces = [surface(seat, seat_material, 1)]
    rods = [*_legs(random, half, high, radius), *posts]
    if family in ("slatted", "arm"):
        rods += [
            box((0, half * 0.88 + lean * t, high + back * t), (1.75 * half, 0.015, 0.05))
            for t in np.linspace(0.35, 0.95, int(random.integers(2, 5)))
        ]
        if family == "arm":
            for x in (-1, 1):
                rods.append(box((x * half * 0.95, 0, high + 0.2), (0.045, 1.8 * half, 0.025)))
                rods.append(
                    sweep(
                        np.linspace(
                            (x * half * 0.95, -half * 0.75, high),
                            (x * half * 0.95, -half * 0.75, high + 0.2),
                            4,
                        ),
                        radius,
                        10,
                    )
                )
    else:
        rest = box(
            (0, half * 0.88 + lean * 0.65, high + back * 0.62), (1.8 * half, 0.03, back * 0.65)
        )
        surfaces.append(surface(rest, seat_material, smooth=False, bevel=0.012))
    surfaces.append(surface(merge(*rods), frame))
    return assemble_seat("chair", family, surfaces, high + thick)


def build_stool(random: Generator) -> ObjectModel:
    """Build a stool or a bench."""
    family = str(random.choice(["round", "square", "bench", "pedestal"]))
    half, high = random.uniform(0.15, 0.21), random.uniform(0.4, 0.72)
    thick = random.uniform(0.025, 0.07)
    frame = finish(random, "wood", "painted_metal", "steel", "dark_metal")
    top = finish(random, "wood", "cloth", "plastic", "paint")
    if family in ("round", "pedestal"):
        seat = revolve(
            [
                (0, high),
                (half * 0.95, high),
                (half, high + thick * 0.4),
                (half * 0.94, high + thick),
                (0, high + thick),
            ],
            40,
        )
    else:
        long = 2 * half * (random.uniform(2, 3) if family == "bench" else 1)
        outline = rounded_rectangle(long, 2 * half, 0.03)
        seat = loft([outline, outline, outline * 0.98], [high, high + thick * 0.8, high + thick])
    if family == "pedestal":
        legs = [
            revolve(
                [
                    (0, 0),
                    (half * 1.05, 0),
                    (half * 1.0, 0.015),
                    (0.03, 0.03),
                    (0.028, high + 0.002),
                    (0, high + 0.002),
                ],
                32,
            )
        ]
    else:
        legs = _legs(random, half * 0.9, high + 0.004, random.uniform(0.014, 0.02))
        if family == "bench":
            legs = [(points * [2.1, 1, 1], faces) for points, faces in legs]
    surfaces = [surface(seat, top, 1), surface(merge(*legs), frame)]
    return assemble_seat("stool", family, surfaces, high + thick)
