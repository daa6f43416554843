"""Kitchen tools: pan, spoon, fork, whisk, spatula."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import (
    Mesh,
    curve,
    extrude,
    merge,
    moved,
    revolve,
    sweep,
    turned,
)
from render_affordances.meshes.model import Array, ObjectModel
from render_affordances.shapes.parts.assembly import assemble, end, finish, surface
from render_affordances.shapes.parts.tools import bar_handle, held_at, long_tool

HANDLE = ("wood", "wood", "plastic", "dark_plastic", "steel", "rubber")


def build_pan(random: Generator) -> ObjectModel:
    """Build a frying pan, a sauce pan or a wok."""
    family = str(random.choice(["frying", "frying", "sauce", "wok", "square"]))
    radius = random.uniform(0.09, 0.15) * (0.75 if family == "sauce" else 1.0)
    height = {"sauce": radius * random.uniform(0.9, 1.3), "wok": radius * 0.6}.get(
        family, float(random.uniform(0.03, 0.055))
    )
    base = {"wok": 0.35, "sauce": 0.97}.get(family, float(random.uniform(0.72, 0.9)))
    wall = curve(
        [(radius * base, 0), (radius * (base + 1.15) / 2.1, height * 0.45), (radius, height)], 16
    )
    inner = [(max(r - 0.004, 0), max(z, 0.004)) for r, z in wall[::-1]]
    body = revolve([(0, 0), *[tuple(p) for p in wall], *inner, (0, 0.004)], 60)
    if family == "square":
        angle = np.arctan2(body[0][:, 1], body[0][:, 0]) - np.pi / 4
        stretch = 1 / np.maximum(np.abs(np.cos(angle)), np.abs(np.sin(angle))) ** 0.7
        body = (
            body[0] * np.column_stack([stretch, stretch, np.ones_like(stretch)]) * [0.87, 0.87, 1],
            body[1],
        )
        turned_body = turned(body[0], "z", 45)
        body = (turned_body, body[1])
    edge = float(body[0][np.abs(body[0][:, 1]) < 0.02][:, 0].max())
    length = random.uniform(0.13, 0.21)
    handle, width = bar_handle(
        random, length, random.uniform(0.006, 0.01), random.uniform(0.009, 0.014)
    )
    points = handle[0] * [-1, 1, 1]
    points[:, 2] += points[:, 0] * random.uniform(0.0, 0.35)
    handle = (points + np.array([edge - 0.004, 0, height * random.uniform(0.6, 0.9)]), handle[1])
    material = finish(random, "dark_metal", "dark_metal", "steel", "painted_metal", "brushed_metal")
    surfaces = [surface(body, material), surface(handle, finish(random, *HANDLE), 1)]
    held = held_at(handle, width)
    return assemble("pan", family, surfaces, {"handle": 1}, {"hold": ("handle",)}, {"hold": [held]})


def _bowl(random: Generator, long: float, wide: float, deep: float) -> Mesh:
    """A shallow shell, hollow upwards, centred on the origin."""
    level = np.linspace(0, 1, 10)
    outer = [(np.sqrt(s), s) for s in level[1:]]
    inner = [(np.sqrt(max(s - 0.12, 0)) * 0.97, max(s, 0.1)) for s in level[::-1]]
    mesh = revolve([(0, 0), *outer, *[p for p in inner if p[0] > 0], (0, 0.1)], 36)
    points = mesh[0] * [long, wide, deep]
    points[:, 1] *= 1 - random.uniform(0, 0.25) * points[:, 0] / long
    return points, mesh[1]


def build_spoon(random: Generator) -> ObjectModel:
    """Build a spoon or a ladle."""
    family = str(random.choice(["table", "cooking", "tea", "ladle"]))
    scale = {"table": 1.0, "cooking": 1.6, "tea": 0.7, "ladle": 1.6}[family]
    long, wide = random.uniform(0.024, 0.034) * scale, random.uniform(0.016, 0.023) * scale
    deep = random.uniform(0.007, 0.011) * scale
    if family == "ladle":
        long = wide = random.uniform(0.036, 0.048)
        deep = wide * random.uniform(0.6, 0.9)
    bowl = _bowl(random, long, wide, deep)
    length = random.uniform(0.1, 0.14) * scale
    rise = deep + length * (random.uniform(0.5, 0.9) if family == "ladle" else 0.06)
    line = curve(
        [
            (-long * 0.93, 0, deep * 0.9),
            (-long - length * 0.25, 0, deep * 0.9 + rise * 0.5),
            (-long - length, 0, rise),
        ],
        24,
    )
    share = np.linspace(0, 1, 24)
    broad = 0.003 * scale + random.uniform(0.001, 0.005) * scale * share**1.5
    thin = np.full(24, 0.0014 * scale if family in ("table", "tea") else 0.004)
    if family == "cooking":
        broad, thin = np.full(24, 0.006), np.full(24, 0.006)
    handle = sweep(line, np.column_stack([broad, thin]), 14, power=0.8)
    kinds = (
        ("wood", "wood", "plastic", "dark_plastic")
        if family == "cooking"
        else ("steel", "steel", "brass")
    )
    material = finish(random, *kinds, "plastic")
    surfaces = [surface(handle, material, 1), surface(bowl, material, 2)]
    acting = end((0, 0, 0), (1, 0, 0), (0, 1, 0), 2 * wide)
    held = held_at(handle, 2 * float(broad[12]), 0.4)
    return long_tool("spoon", family, surfaces, "bowl", "stir", held, acting)


def build_fork(random: Generator) -> ObjectModel:
    """Build a fork."""
    family = str(random.choice(["table", "table", "cake", "serving"]))
    scale = {"table": 1.0, "cake": 0.75, "serving": 1.3}[family] * random.uniform(0.9, 1.1)
    tines = 3 if family == "cake" else int(random.choice([3, 4, 4]))
    wide, long = random.uniform(0.0095, 0.013) * scale, random.uniform(0.045, 0.06) * scale
    length, rise = random.uniform(0.11, 0.14) * scale, random.uniform(0.008, 0.02) * scale
    share = np.linspace(0, 1, 24)
    line = curve([(0, 0, 0.006), (-length * 0.3, 0, 0.006 + rise), (-length, 0, 0.004)], 24)
    broad = 0.0028 * scale + random.uniform(0.002, 0.006) * scale * share**1.4
    broad[-1] *= 0.6
    thin = random.uniform(0.001, 0.0018) * scale
    handle = sweep(line, np.column_stack([broad, np.full(24, thin)]), 14, power=0.8)
    root = long * random.uniform(0.3, 0.45)
    t = np.linspace(0, 1, 10)
    dip = 0.006 - 0.006 * np.sin(np.pi * t * 0.8)
    palm = sweep(
        np.column_stack([t * root - 0.002, 0 * t, dip]),
        np.column_stack(
            [0.0028 * scale + (wide - 0.0028 * scale) * np.sin(t * np.pi / 2), np.full(10, thin)]
        ),
        14,
        power=0.7,
    )
    prongs = []
    for y in np.linspace(-1, 1, tines) * (wide - 0.0016 * scale):
        path = np.column_stack(
            [root - 0.004 + t * (long - root), y + 0 * t, dip[-1] + 0.004 * t**2]
        )
        prongs.append(
            sweep(path, np.column_stack([0.0016 * scale * (1 - 0.6 * t), np.full(10, thin)]), 8)
        )
    material = finish(random, "steel", "steel", "steel", "brass", "plastic", "porcelain", "wood")
    held_material = material if random.random() < 0.8 else finish(random, *HANDLE)
    surfaces = [surface(handle, held_material, 1), surface(merge(palm, *prongs), material)]
    held = held_at(handle, 2 * float(broad[12]), 0.4)
    return assemble(
        "fork", family, surfaces, {"handle": 1}, {"hold": ("handle",)}, {"hold": [held]}
    )


def build_whisk(random: Generator) -> ObjectModel:
    """Build a whisk."""
    family = str(random.choice(["balloon", "narrow", "ball"]))
    long = random.uniform(0.1, 0.15)
    wide = long * {"balloon": 0.3, "narrow": 0.18, "ball": 0.36}[family]
    loops = []
    t = np.linspace(0, np.pi, 28)
    shape = np.sin(t) ** (1.0 if family != "narrow" else 0.8)
    for turn in np.linspace(0, 180, int(random.integers(4, 7)), endpoint=False):
        half = np.column_stack(
            [long * (0.5 - 0.5 * np.cos(t)), wide * shape * np.sin(t / 2 + 0.3), 0 * t]
        )
        for side in (1, -1):
            wire = half * [1, side, 1]
            up = (0, 0, 1)
            mesh = sweep(wire, random.uniform(0.0009, 0.0013), 8, up=up)
            loops.append((turned(mesh[0], "x", float(turn)), mesh[1]))
    handle, width = bar_handle(random, random.uniform(0.1, 0.14), 0.011, 0.011)
    metal = finish(random, "steel", "brushed_metal", "plastic", "dark_metal")
    surfaces = [
        surface(merge(*loops), metal, 2),
        surface(moved(handle, (0.006, 0, 0)), finish(random, *HANDLE), 1),
    ]
    acting = end((long * 0.9, 0, 0), (1, 0, 0), (0, 1, 0), 2 * wide)
    return long_tool("whisk", family, surfaces, "wires", "stir", held_at(handle, width), acting)


def build_spatula(random: Generator) -> ObjectModel:
    """Build a spatula, a turner or a wooden stirring paddle."""
    family = str(random.choice(["scraper", "turner", "wooden", "slotted"]))
    long, wide = random.uniform(0.07, 0.1), random.uniform(0.025, 0.04)
    t = np.linspace(0, 1, 20)
    edge = wide * (0.45 + 0.55 * np.sqrt(np.clip(t * 3, 0, 1))) * (1 - 0.25 * (t > 0.97))
    if family == "scraper":
        edge = edge * (1 - 0.35 * np.clip((t - 0.8) / 0.2, 0, 1) ** 2)
    side = np.column_stack([t * long, edge])
    outline = np.concatenate([side, (side * [1, -1])[::-1]])
    meshes = [extrude(outline, random.uniform(0.002, 0.006))]
    if family == "slotted":
        meshes = [extrude(strip, 0.002) for strip in _slats(long, wide)]
    neck = curve(
        [(0.012, 0, 0.002), (-0.03, 0, 0.004), (-0.06, 0, random.uniform(0.005, 0.03))], 12
    )
    rod = sweep(neck, (0.005, 0.003), 12)
    top = neck[-1]
    handle, width = bar_handle(random, random.uniform(0.12, 0.18), 0.007, 0.011)
    handle = moved(handle, top + np.array([0.008, 0, 0]))
    kinds = ("wood",) if family == "wooden" else ("plastic", "rubber", "dark_plastic", "steel")
    material = finish(random, *kinds)
    held_material = material if family == "wooden" else finish(random, *HANDLE)
    surfaces = [
        surface(merge(*meshes), material, 2, smooth=False),
        surface(rod, material),
        surface(handle, held_material, 1),
    ]
    acting = end((long, 0, 0), (1, 0, 0), (0, 1, 0), 2 * wide)
    return long_tool("spatula", family, surfaces, "blade", "stir", held_at(handle, width), acting)


def _slats(long: float, wide: float) -> list[Array]:
    bars = [
        np.array([(x, -wide), (x + 0.012, -wide), (x + 0.012, wide), (x, wide)])
        for x in (0.0, long - 0.014)
    ]
    half, stop = 0.0035, long - 0.01
    bars += [
        np.array([(0.01, y - half), (stop, y - half), (stop, y + half), (0.01, y + half)])
        for y in np.linspace(-wide + 0.004, wide - 0.004, 5)
    ]
    return bars
