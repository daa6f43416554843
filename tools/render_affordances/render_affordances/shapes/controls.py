"""Things with knobs to turn and buttons to press: panel, switch."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import (
    Mesh,
    box,
    facing_front,
    loft,
    moved,
    revolve,
    rounded_rectangle,
    turned,
)
from render_affordances.meshes.model import Grip, ObjectModel
from render_affordances.shapes.parts.assembly import assemble, finish, grip, surface


def _dial(random: Generator, radius: float) -> list[Mesh]:
    high = random.uniform(0.014, 0.026)
    mesh = revolve(
        [
            (0, 0),
            (radius, 0),
            (radius * random.uniform(0.75, 1), high * 0.9),
            (radius * 0.7, high),
            (0, high),
        ],
        40,
    )
    if random.random() < 0.4:
        flute = 1 + 0.05 * np.cos(14 * np.arctan2(mesh[0][:, 1], mesh[0][:, 0]))
        mesh = (mesh[0] * np.column_stack([flute, flute, np.ones_like(flute)]), mesh[1])
    mark = moved(box((0, radius * 0.45, high), (0.003, radius * 0.8, 0.003)), (0, 0, 0))
    if random.random() < 0.3:
        mark = box((0, 0, high), (radius * 0.35, radius * 1.8, high * 0.9))
    turn = float(random.uniform(-140, 140))
    return [(turned(part[0], "z", turn), part[1]) for part in (mesh, mark)]


def _button(random: Generator, size: float) -> Mesh:
    high = random.uniform(0.005, 0.011)
    style = random.random()
    if style < 0.5:
        return revolve([(0, 0), (size, 0), (size, high * 0.6), (size * 0.8, high), (0, high)], 28)
    if style < 0.65:
        return revolve(
            [
                (0, 0),
                (size * 0.5, 0),
                (size * 0.5, high),
                (size * 1.3, high * 1.3),
                (size * 1.0, high * 2.2),
                (0, high * 2.6),
            ],
            28,
        )
    outline = rounded_rectangle(2 * size * random.uniform(1, 1.5), 2 * size, size * 0.4)
    return loft([outline, outline, outline * 0.85], [0, high * 0.7, high])


def build_panel(random: Generator) -> ObjectModel:
    """Build a control panel, a radio, a cooker's front: knobs to turn, buttons to press."""
    family = str(random.choice(["mixed", "mixed", "knobs", "buttons"]))
    wide, high = random.uniform(0.2, 0.38), random.uniform(0.1, 0.2)
    deep = random.uniform(0.05, 0.14)
    body = finish(random, "plastic", "dark_plastic", "steel", "wood", "paint", "painted_metal")
    surfaces = [
        surface(
            box((0, 0, high / 2), (wide, deep, high)),
            body,
            smooth=False,
            bevel=float(random.uniform(0.002, 0.01)),
        )
    ]
    count = int(random.integers(2, 6))
    kinds = ["knob" if k % 2 == 0 else "button" for k in range(count)]
    kinds = ["knob"] * count if family == "knobs" else kinds
    kinds = ["button"] * count if family == "buttons" else kinds
    random.shuffle(kinds)
    xs = np.linspace(-wide * 0.37, wide * 0.37, count)
    gap = wide * 0.74 / max(count - 1, 1)
    level = high * random.uniform(0.32, 0.6)
    knob_material = finish(random, "dark_plastic", "steel", "plastic", "brushed_metal", "porcelain")
    key = finish(random, "plastic", "plastic", "painted_metal", "porcelain")
    y = -deep / 2
    grips: dict[str, list[Grip]] = {}
    names = [n for n in ("knob", "button") if n in kinds]
    parts = {name + "s": k + 1 for k, name in enumerate(names)}
    knob_radius = min(random.uniform(0.014, 0.026), gap * 0.42)
    button_size = min(random.uniform(0.008, 0.015), gap * 0.3)
    for x, kind in zip(xs, kinds, strict=True):
        at = np.array([x, y, level])
        if kind == "knob":
            cap, mark = _dial(random, knob_radius)
            surfaces.append(surface(moved(facing_front(cap), at), knob_material, parts["knobs"]))
            surfaces.append(
                surface(moved(facing_front(mark), at), key, parts["knobs"], smooth=False)
            )
            held = grip(
                "twist", at + np.array([0, -0.012, 0]), (0, -1, 0), (0, 0, 1), 2 * knob_radius
            )
            grips.setdefault("turn", []).append(held)
        else:
            mesh = moved(facing_front(_button(random, button_size)), at)
            surfaces.append(surface(mesh, key, parts["buttons"]))
            front = np.array([x, float(mesh[0][:, 1].min()), level])
            grips.setdefault("press", []).append(
                grip("push", front, (0, -1, 0), (0, 0, 1), 2 * button_size)
            )
    if random.random() < 0.6:
        screen = box(
            (0, y - 0.001, high * 0.82), (wide * random.uniform(0.3, 0.8), 0.003, high * 0.2)
        )
        surfaces.append(surface(screen, finish(random, "screen", "label"), smooth=False))
    affords = {{"knob": "turn", "button": "press"}[n]: (n + "s",) for n in names}
    support = "wall" if random.random() < 0.5 else "table"
    return assemble("panel", family, surfaces, parts, affords, grips, support=support)


def build_switch(random: Generator) -> ObjectModel:
    """Build a light switch, a door bell or a lift's buttons."""
    family = str(random.choice(["rocker", "double", "bell", "lift", "emergency"]))
    plate_material = finish(
        random, "porcelain", "plastic", "steel", "brass", "brushed_metal", "dark_plastic"
    )
    key = (
        plate_material if random.random() < 0.4 else finish(random, "plastic", "porcelain", "steel")
    )
    wide, high = random.uniform(0.07, 0.09), random.uniform(0.07, 0.12)
    places: list[tuple[float, float]] = [(0, 0)]
    if family == "double":
        places = [(-wide * 0.2, 0), (wide * 0.2, 0)]
    elif family == "lift":
        high = random.uniform(0.14, 0.22)
        places = [
            (0, z) for z in np.linspace(-high * 0.33, high * 0.33, int(random.integers(2, 5)))
        ]
    plate = loft(
        [rounded_rectangle(wide, high, 0.008), rounded_rectangle(wide, high, 0.008) * 0.96],
        [0.0, 0.008],
    )
    surfaces = [surface(facing_front(plate), plate_material, smooth=False)]
    grips = []
    for x, z in places:
        if family in ("rocker", "double"):
            size = (wide * (0.3 if family == "double" else random.uniform(0.35, 0.7)), high * 0.55)
            mesh = box((0, 0, 0.009), (size[0], size[1], 0.009))
            mesh = (turned(mesh[0], "x", float(random.choice([-5, 5]))), mesh[1])
            reach = 0.014
        elif family == "emergency":
            mesh = revolve(
                [(0, 0), (0.014, 0.008), (0.012, 0.02), (0.022, 0.024), (0.02, 0.034), (0, 0.038)],
                32,
            )
            reach = 0.038
        else:
            radius = random.uniform(0.01, 0.015)
            mesh = revolve([(0, 0.006), (radius, 0.008), (radius * 0.92, 0.012), (0, 0.0125)], 32)
            reach = 0.0125
        at = np.array([x, 0, z])
        surfaces.append(surface(moved(facing_front(mesh), at), key, 1))
        grips.append(grip("push", at + np.array([0, -reach, 0]), (0, -1, 0), (0, 0, 1), 0.02))
    return assemble(
        "switch",
        family,
        surfaces,
        {"button": 1},
        {"press": ("button",)},
        {"press": grips},
        support="wall",
    )
