"""Things to hit with: hammer, mallet, bat, racket."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import (
    Mesh,
    curve,
    extrude,
    merge,
    moved,
    parts_where,
    smooth_step,
    sweep,
)
from render_affordances.meshes.model import Array, ObjectModel
from render_affordances.shapes.parts.assembly import end, finish, surface
from render_affordances.shapes.parts.tools import held_at, long_tool, straight_rod

GRIPS = ("wood", "wood", "rubber", "plastic", "dark_plastic", "painted_metal")


def _shaft(random: Generator, length: float, radius: float) -> Mesh:
    share = np.linspace(0, 1, 30)
    thick = 1 - 0.35 * smooth_step(share, random.uniform(0.3, 0.5), 0.75)
    thick = thick * (1 + 0.1 * np.sin(2 * np.pi * share) * random.uniform(0, 1))
    thick[0] *= 0.75
    radii = np.column_stack([radius * thick * random.uniform(0.75, 1.0), radius * thick])
    return sweep(np.column_stack([share * length, 0 * share, 0 * share]), radii, 18, up=(0, 0, 1))


def _turned_along_y(stations: Array, radii: Array, power: float = 1.0) -> Mesh:
    path = np.column_stack([0 * stations, stations, 0 * stations])
    return sweep(path, radii, 24, up=(0, 0, 1), power=power)


def _hammer_head(random: Generator, family: str, radius: float) -> Mesh:
    half = random.uniform(0.045, 0.06)
    stations = np.array([-1, -0.94, -0.6, -0.55, -0.2, 0.22, 0.28, 0.5]) * half
    radii = radius * np.array([0.88, 1, 1, 0.7, 0.85, 0.85, 0.7, 0.62])
    face = _turned_along_y(stations, radii, float(random.choice([1.0, 0.5])))
    if family == "claw":
        tines = []
        for side in (-1, 1):
            s = np.linspace(0, 1, 12)
            line = np.column_stack(
                [-half * 0.75 * s**2, half * (0.45 + 0.7 * s), side * radius * (0.35 + 0.25 * s)]
            )
            tines.append(
                sweep(
                    line,
                    np.column_stack([radius * (0.32 - 0.12 * s), radius * (0.55 - 0.4 * s)]),
                    12,
                    up=(0, 0, 1),
                )
            )
        return merge(face, *tines)
    if family == "ball":
        s = np.linspace(-0.95, 0.99, 12)
        ball = _turned_along_y(half * 0.85 + radius * 0.85 * s, radius * 0.85 * np.sqrt(1 - s**2))
        return merge(face, ball)
    wedge = np.linspace(0.4, 1.15, 10)
    flat = np.column_stack(
        [radius * np.linspace(0.75, 0.9, 10), radius * np.linspace(0.8, 0.1, 10)]
    )
    return merge(face, _turned_along_y(wedge * half, flat))


def build_hammer(random: Generator) -> ObjectModel:
    """Build a hammer: claw, ball peen, cross peen, or club."""
    family = str(random.choice(["claw", "claw", "ball", "cross", "club"]))
    length = random.uniform(0.22, 0.34)
    radius = random.uniform(0.012, 0.018)
    if family == "club":
        big = random.uniform(0.018, 0.026)
        stations = np.array([-1, -0.93, 0.93, 1]) * random.uniform(0.04, 0.06)
        head = _turned_along_y(stations, big * np.array([0.85, 1, 1, 0.85]), 0.55)
        radius = big
    else:
        head = _hammer_head(random, family, radius)
    front = float(-head[0][:, 1].min())
    place = length - radius * 0.9
    shaft = _shaft(random, length, random.uniform(0.011, 0.016))
    low = random.uniform(0.45, 0.7)
    material = finish(random, *GRIPS)
    ids = parts_where(shaft, 1, lambda c: c[:, 0] < place - radius)
    metal = finish(random, "steel", "dark_metal", "brushed_metal", "painted_metal")
    surfaces = [surface(shaft, material, ids), surface(moved(head, (place, 0, 0)), metal, 2)]
    if random.random() < 0.5:
        cover = sweep(
            np.linspace((-0.002, 0, 0), (length * low * 0.8, 0, 0), 12),
            np.concatenate([[0.012], np.full(11, 0.0175)]),
            18,
            up=(0, 0, 1),
        )
        surfaces.append(surface(cover, finish(random, "rubber", "plastic", "dark_plastic"), 1))
    acting = end((place, -front, 0), (0, -1, 0), (1, 0, 0), 2 * radius)
    return long_tool("hammer", family, surfaces, "head", "hit", held_at(shaft, 0.03, 0.25), acting)


def build_mallet(random: Generator) -> ObjectModel:
    """Build a mallet: round or square head of wood or rubber, or a gavel."""
    family = str(random.choice(["round", "square", "gavel", "tenderiser"]))
    length = random.uniform(0.22, 0.34) * (0.8 if family == "gavel" else 1.0)
    half, radius = random.uniform(0.045, 0.07), random.uniform(0.026, 0.042)
    if family == "gavel":
        stations = np.array([-1, -0.95, -0.7, -0.62, -0.5, 0.5, 0.62, 0.7, 0.95, 1]) * half
        radii = radius * 0.8 * np.array([0.9, 1, 1, 0.85, 0.9, 0.9, 0.85, 1, 1, 0.9])
        head = _turned_along_y(stations, radii)
    else:
        power = 1.0 if family == "round" else 0.3
        stations = np.array([-1, -0.94, -0.5, 0, 0.5, 0.94, 1]) * half
        swell = 1 + random.uniform(0, 0.15) * np.array([0, 0, 0.7, 1, 0.7, 0, 0])
        head = _turned_along_y(stations, radius * swell * [0.92, 1, 1, 1, 1, 1, 0.92], power)
    shaft = _shaft(random, length, random.uniform(0.01, 0.014))
    place = length - radius * 0.6
    ids = parts_where(shaft, 1, lambda c: c[:, 0] < place - radius)
    material = finish(random, "wood", "wood", "rubber", "rubber", "plastic", "steel")
    surfaces = [
        surface(shaft, finish(random, "wood", "wood", "plastic", "steel"), ids),
        surface(moved(head, (place, 0, 0)), material, 2),
    ]
    acting = end((place, -half, 0), (0, -1, 0), (1, 0, 0), 2 * radius)
    return long_tool("mallet", family, surfaces, "head", "hit", held_at(shaft, 0.026, 0.25), acting)


def build_bat(random: Generator) -> ObjectModel:
    """Build a bat or a club that hits with its thick end."""
    family = str(random.choice(["baseball", "cricket", "rolling"]))
    length = random.uniform(0.6, 0.9)
    share = np.linspace(0, 1, 44)
    if family == "cricket":
        half = 0.014 + random.uniform(0.036, 0.045) * smooth_step(share, 0.33, 0.42)
        flat = 0.014 + 0.012 * smooth_step(share, 0.33, 0.5)
        ratio, power = flat, 0.6
    else:
        thick = random.uniform(0.03, 0.04)
        half = 0.0125 + (thick - 0.0125) * smooth_step(share, 0.3, 0.75)
        half = half + 0.01 * np.exp(-((share / 0.015) ** 2))
        ratio, power = half, 1.0
    half = half * np.where(share > 0.985, 0.8, 1.0)
    path = np.column_stack([share * length, 0 * share, 0 * share])
    mesh = sweep(path, np.column_stack([ratio, half]), 22, up=(0, 0, 1), power=power)
    low = 0.36 if family == "cricket" else 0.5
    ids = parts_where(mesh, 2, lambda c: c[:, 0] > low * length)
    ids += parts_where(mesh, 1, lambda c: c[:, 0] < 0.33 * length)
    surfaces = [
        surface(mesh, finish(random, "wood", "wood", "brushed_metal", "painted_metal"), ids)
    ]
    if random.random() < 0.7:
        tape = straight_rod(np.array([0.015, 0, 0]), np.array([0.3 * length, 0, 0]), 0.0152)
        surfaces.append(surface(tape, finish(random, "rubber", "cloth", "dark_plastic"), 1))
    acting = end((length * 0.8, -float(half[35]), 0), (0, -1, 0), (1, 0, 0), length * 0.3)
    return long_tool("bat", family, surfaces, "barrel", "hit", held_at(mesh, 0.03, 0.15), acting)


def build_racket(random: Generator) -> ObjectModel:
    """Build a racket or a paddle."""
    family = str(random.choice(["tennis", "badminton", "table_tennis"]))
    if family == "table_tennis":
        return _paddle(random)
    long, wide = (0.17, 0.13) if family == "tennis" else (0.13, 0.1)
    shaft = random.uniform(0.26, 0.36) if family == "tennis" else random.uniform(0.35, 0.45)
    centre = shaft + long
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    ring = np.column_stack([centre + long * np.cos(angle), wide * np.sin(angle), 0 * angle])
    thick = 0.009 if family == "tennis" else 0.005
    frame = sweep(ring, (thick, thick * 0.7), 12, closed=True, up=(0, 0, 1))
    strings = []
    for t in np.linspace(-0.88, 0.88, 15):
        reach = np.sqrt(1 - t**2)
        strings.append(
            _string((centre + long * t, -wide * reach), (centre + long * t, wide * reach))
        )
        strings.append(
            _string((centre - long * reach, wide * t), (centre + long * reach, wide * t))
        )
    rods = [straight_rod(np.array([0, 0, 0.0]), np.array([shaft, 0, 0]), thick * 0.8)]
    if family == "tennis":
        for side in (-1, 1):
            throat = curve(
                [
                    (shaft * 0.6, 0, 0),
                    (shaft * 0.85, side * 0.02, 0),
                    (centre - long * 0.8, side * wide * 0.62, 0),
                ],
                14,
            )
            rods.append(sweep(throat, thick * 0.8, 12, up=(0, 0, 1)))
    radius = 0.016 if family == "tennis" else 0.012
    handle = straight_rod(np.array([-0.01, 0, 0]), np.array([0.16, 0, 0]), radius)
    body = finish(random, "painted_metal", "plastic", "dark_plastic", "brushed_metal")
    surfaces = [
        surface(frame, body, 2),
        surface(merge(*strings), finish(random, "plastic", "porcelain"), 2),
        surface(merge(*rods), body),
        surface(handle, finish(random, "rubber", "dark_plastic", "cloth", "wood"), 1),
    ]
    acting = end((centre, 0, 0), (0, 0, -1), (0, 1, 0), wide)
    return long_tool("racket", family, surfaces, "face", "hit", held_at(handle, 2 * radius), acting)


def _string(start: tuple[float, float], stop: tuple[float, float]) -> Mesh:
    ends = np.array([(*start, 0.0), (*stop, 0.0)])
    return sweep(ends, np.full((2, 2), 0.0011), 4, up=(0, 0, 1))


def _paddle(random: Generator) -> ObjectModel:
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = random.uniform(0.07, 0.085)
    outline = np.column_stack([radius * 1.05 * np.cos(angle), radius * np.sin(angle)])
    outline[:, 0] = np.maximum(outline[:, 0], -radius * 0.9)
    wood = _disc(outline, 0.003, 0.0)
    rubber = [_disc(outline * 0.99, 0.002, z) for z in (-0.0022, 0.0032)]
    share = np.linspace(0, 1, 16)
    path = np.column_stack([-radius * 0.8 - 0.1 * share, 0 * share, 0 * share + 0.0015])
    wide = 0.013 + 0.005 * share
    handle = sweep(path, np.column_stack([0.8 * wide, wide]), 16, up=(0, 0, 1), power=0.6)
    timber = finish(random, "wood")
    surfaces = [
        surface(wood, timber, 2),
        surface(rubber[0], finish(random, "rubber", "dark_plastic"), 2),
        surface(rubber[1], finish(random, "rubber", "plastic"), 2),
        surface(handle, timber if random.random() < 0.6 else finish(random, "plastic"), 1),
    ]
    acting = end((0, 0, 0.005), (0, 0, 1), (0, 1, 0), radius)
    return long_tool(
        "racket", "table_tennis", surfaces, "face", "hit", held_at(handle, 0.028), acting
    )


def _disc(outline: Array, thickness: float, low: float) -> Mesh:
    return moved(extrude(outline, thickness), (0, 0, low))
