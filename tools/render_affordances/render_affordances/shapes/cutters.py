"""Things to cut with: knife, scissors, saw, axe."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import (
    Mesh,
    blade,
    curve,
    extrude,
    merge,
    moved,
    smooth_step,
    sweep,
    turned,
)
from render_affordances.meshes.model import Array, ObjectModel
from render_affordances.shapes.parts.assembly import assemble, end, finish, grip, surface
from render_affordances.shapes.parts.tools import bar_handle, held_at, long_tool

STEEL = ("steel", "steel", "brushed_metal", "dark_metal")
HANDLE = ("wood", "plastic", "plastic", "dark_plastic", "dark_plastic", "rubber", "painted_metal")


def _knife_lines(random: Generator, family: str, length: float, wide: float) -> tuple[Array, Array]:
    x = np.linspace(0, 1, 36)
    start = random.uniform(0.55, 0.8)
    drop = smooth_step(x, start, 1.05)
    if family == "chef":
        back, edge = 1 - drop * random.uniform(0.1, 0.5), smooth_step(x, 0.35, 1.05) * 0.95
    elif family == "bread":
        wave = 0.03 * np.sin(x * 90) * (x < 0.95)
        back, edge = 1 - smooth_step(x, 0.9, 1.02) * 0.7, wave + 0.0 * x
    elif family == "cleaver":
        back, edge = 1 + 0 * x, 0.0 * x + 0.06 * x**3
    elif family == "table":
        back = 0.75 + 0.25 * np.sin(np.pi * x * 0.8)
        back = back * (1 - smooth_step(x, 0.93, 1.03) * 0.6)
        edge = 0.12 * (1 - x) + 0.3 * smooth_step(x, 0.9, 1.02)
    elif family == "santoku":
        back, edge = 1 - smooth_step(x, 0.7, 1.02) * 0.92, 0.05 * smooth_step(x, 0.8, 1.0)
    else:
        back, edge = 1 - drop * 0.6, drop * 0.35 + 0.0 * x
    edge = np.minimum(edge, back - 0.03)
    return np.column_stack([x * length, back * wide]), np.column_stack([x * length, edge * wide])


def build_knife(random: Generator) -> ObjectModel:
    """Build a knife."""
    family = str(
        random.choice(["chef", "bread", "paring", "cleaver", "table", "santoku", "utility"])
    )
    length = random.uniform(0.14, 0.24) * {"paring": 0.55, "cleaver": 0.85}.get(family, 1.0)
    wide = {
        "chef": random.uniform(0.035, 0.052),
        "cleaver": random.uniform(0.06, 0.09),
        "santoku": random.uniform(0.038, 0.048),
        "table": random.uniform(0.016, 0.022),
    }.get(family, float(random.uniform(0.02, 0.034)))
    back, edge = _knife_lines(random, family, length, wide)
    cutting = blade(back, edge, random.uniform(0.0018, 0.003))
    hilt = random.uniform(0.09, 0.13) * (0.85 if family == "paring" else 1.0)
    handle, width = bar_handle(
        random, hilt, random.uniform(0.006, 0.009), random.uniform(0.009, 0.014)
    )
    handle = moved(handle, (0.002, wide * random.uniform(0.6, 0.75), 0))
    steel = finish(random, *STEEL)
    grip_material = (
        steel if family == "table" and random.random() < 0.7 else finish(random, *HANDLE)
    )
    surfaces = [surface(cutting, steel, 2, smooth=False), surface(handle, grip_material, 1)]
    if random.random() < 0.35:
        bolster = moved(
            (sweep(np.linspace((0, 0, 0), (0.012, 0, 0), 4), (0.007, 0.011), 16, up=(0, 0, 1))),
            (-0.004, wide * 0.68, 0),
        )
        surfaces.append(surface(bolster, steel, 1))
    middle = (edge[14, 0], edge[14, 1], 0)
    acting = end(middle, (0, -1, 0), (1, 0, 0), length * 0.8)
    return long_tool("knife", family, surfaces, "blade", "cut_with", held_at(handle, width), acting)


def _scissor_half(
    random: Generator, side: int, sizes: dict[str, float], style: str
) -> tuple[Mesh, Mesh]:
    """One half, closed along x: its blade and its handle, before it is opened about the pivot."""
    length, wide = sizes["blade"], sizes["wide"]
    x = np.linspace(-0.012, 1, 24)
    taper = 1 - np.clip(x, 0, 1) ** 2.2
    outer = side * wide * (0.18 + 0.82 * taper)
    inner = -side * wide * 0.3 * taper
    upper = np.column_stack([x * length, outer])
    lower = np.column_stack([x * length, inner])
    cutting = moved(blade(upper, lower, 0.0022), (0, 0, side * 0.0013))
    angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    centre = np.array([-sizes["reach"], -side * sizes["offset"]])
    power = 0.75 if style == "oval" else 1.0
    ring = np.column_stack(
        [
            centre[0] + sizes["long"] * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power,
            centre[1] + sizes["high"] * np.sin(angle),
            0 * angle,
        ]
    )
    thick = sizes["thick"]
    loop = sweep(ring, (thick * 0.8, thick), 14, closed=True, up=(0, 0, 1))
    stem = curve(
        [
            (-0.004, 0, 0),
            (-sizes["reach"] * 0.3, -side * sizes["offset"] * 0.2, 0),
            (centre[0] + sizes["long"] * 0.9, centre[1] * 0.8, 0),
        ],
        12,
    )
    shank = sweep(stem, np.linspace(wide * 0.5, thick, 12), 14, up=(0, 0, 1))
    return cutting, merge(loop, moved(shank, (0, 0, side * 0.001)))


def build_scissors(random: Generator) -> ObjectModel:
    """Build scissors: for paper, tailors, the kitchen, nails, or shears."""
    family = str(random.choice(["paper", "tailor", "nail", "kitchen", "shears"]))
    scale = {"nail": 0.55, "tailor": 1.25, "shears": 1.4}.get(family, 1.0)
    sizes = {
        "blade": random.uniform(0.075, 0.12) * scale * (0.7 if family == "nail" else 1.0),
        "wide": random.uniform(0.006, 0.011) * scale,
        "reach": random.uniform(0.055, 0.08) * scale,
        "offset": random.uniform(0.013, 0.02) * scale,
        "long": random.uniform(0.02, 0.03) * scale,
        "high": random.uniform(0.013, 0.018) * scale,
        "thick": random.uniform(0.0028, 0.0055) * scale,
    }
    steel = finish(random, *STEEL)
    loops = finish(random, "plastic", "plastic", "dark_plastic", "rubber", "steel")
    opened = random.uniform(4, 24)
    style = str(random.choice(["round", "oval"]))
    surfaces = []
    for side in (1, -1):
        cutting, handle = _scissor_half(random, side, sizes, style)
        spread = side * opened
        surfaces.append(
            surface((turned(cutting[0], "z", spread), cutting[1]), steel, 2, smooth=False)
        )
        surfaces.append(surface((turned(handle[0], "z", spread), handle[1]), loops, 1))
    pin = sweep(np.linspace((0, 0, -0.003), (0, 0, 0.0035), 4), sizes["wide"] * 0.35, 16)
    surfaces.append(surface(pin, steel))
    held = grip(
        "power",
        (-sizes["reach"], 0, 0),
        (0, 0, 1),
        (0, 1, 0),
        2 * (sizes["offset"] + sizes["high"]),
    )
    acting = end((sizes["blade"] * 0.5, 0, 0), (1, 0, 0), (1, 0, 0), sizes["blade"])
    return assemble(
        "scissors",
        family,
        surfaces,
        {"handles": 1, "blades": 2},
        {"hold": ("handles",), "cut_with": ("blades",)},
        {"hold": [held], "cut_with": [held]},
        ends={"cut_with": acting},
    )


def _toothed(length: float, high: float, tip: float, teeth: int) -> Array:
    """Outline of a saw blade whose teeth point to -y."""
    x = np.linspace(0, length, 2 * teeth + 1)
    low = np.where(np.arange(len(x)) % 2 == 0, 0.0, -0.003)
    return np.concatenate(
        [np.column_stack([x, low]), [(length, tip), (length * 0.5, (high + tip) / 2), (0, high)]]
    )


def build_saw(random: Generator) -> ObjectModel:
    """Build a hand saw, a back saw or a hacksaw."""
    family = str(random.choice(["hand", "back", "hack", "pruning"]))
    length = random.uniform(0.24, 0.42)
    high = random.uniform(0.07, 0.11) if family == "hand" else random.uniform(0.035, 0.06)
    tip = high * (random.uniform(0.35, 0.6) if family in ("hand", "pruning") else 0.95)
    steel = finish(random, *STEEL)
    grey = finish(random, "painted_metal", "steel", "dark_metal")
    surfaces = []
    if family == "hack":
        cutting = extrude(_toothed(length, 0.014, 0.014, 60), 0.0012)
        rise = random.uniform(0.07, 0.1)
        frame = curve([(0, 0.006, 0), (0.0, rise, 0), (length, rise, 0), (length, 0.006, 0)], 40)
        surfaces.append(surface(sweep(frame, 0.005, 14, up=(0, 0, 1)), grey))
        high = rise
    else:
        cutting = extrude(_toothed(length, high, tip, int(random.integers(30, 70))), 0.0014)
        if family == "back":
            spine = sweep(
                np.linspace((0, high, 0.0007), (length, high, 0.0007), 4),
                (0.004, 0.005),
                12,
                up=(0, 0, 1),
            )
            surfaces.append(surface(spine, grey))
    surfaces.append(surface(cutting, steel, 2, smooth=False))
    wood = finish(random, "wood", "wood", "plastic", "dark_plastic", "rubber")
    if family == "pruning" or random.random() < 0.35:
        handle, width = bar_handle(random, 0.11, 0.012, 0.015)
        handle = moved(handle, (0.004, high * 0.5, 0.0007))
        held = held_at(handle, width)
    else:
        angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
        squash = np.abs(np.cos(angle)) ** 0.7 * np.sign(np.cos(angle))
        slope = random.uniform(-0.4, 0.1)
        y = high * 0.45 + 0.048 * np.sin(angle)
        ring = np.column_stack(
            [-0.045 + 0.034 * squash + slope * (y - high * 0.45), y, 0 * angle + 0.0007]
        )
        handle = sweep(ring, (0.011, 0.013), 16, closed=True, up=(0, 0, 1))
        width = 0.026
        held = grip("power", (-0.078, high * 0.45, 0), (-1, 0, 0), (0, 1, 0), width)
    surfaces.append(surface(handle, wood, 1))
    acting = end((length / 2, 0, 0), (0, -1, 0), (1, 0, 0), length * 0.8)
    return long_tool("saw", family, surfaces, "blade", "cut_with", held, acting)


def build_axe(random: Generator) -> ObjectModel:
    """Build an axe or a hatchet."""
    family = str(random.choice(["hatchet", "felling", "double"]))
    length = random.uniform(0.28, 0.4) if family == "hatchet" else random.uniform(0.45, 0.65)
    share = np.linspace(0, 1, 30)
    bend = 0.012 * np.sin(np.pi * share * 1.5) * random.uniform(-1, 1)
    path = np.column_stack([share * length, bend, 0 * share])
    wide = 0.017 * (1 + 0.25 * np.exp(-(((share - 0.03) / 0.05) ** 2)))
    shaft = sweep(path, np.column_stack([0.65 * wide, wide]), 18, up=(0, 0, 1))
    head = random.uniform(0.07, 0.11)
    flare = random.uniform(0.045, 0.075)
    x0, y0 = length - 0.035, float(bend[-3])
    t = np.linspace(-1, 1, 16)
    edge = np.column_stack([x0 + flare * t, y0 - head * (1 - 0.08 * t**2)])
    waist = np.column_stack([x0 + 0.026 * t, np.full(16, y0)])
    cheek = blade(waist, edge, 0.026)
    parts = [cheek]
    if family == "double":
        parts.append((turned(cheek[0], "x", 180, (0, y0, 0)), cheek[1]))
    else:
        poll = sweep(
            np.linspace((x0, y0 - 0.004, 0), (x0, y0 + 0.034, 0), 4),
            (0.013, 0.026),
            16,
            power=0.4,
            up=(0, 0, 1),
        )
        parts.append(poll)
    material = finish(random, "steel", "dark_metal", "painted_metal", "brushed_metal")
    surfaces = [surface(mesh, material, 2, smooth=False) for mesh in parts]
    surfaces.append(surface(shaft, finish(random, "wood", "wood", "plastic", "rubber"), 1))
    held = held_at(shaft, 0.03, 0.2)
    acting = end((x0, y0 - head, 0), (0, -1, 0), (1, 0, 0), 2 * flare)
    return long_tool("axe", family, surfaces, "head", "cut_with", held, acting)
