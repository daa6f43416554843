"""Small hand tools: screwdriver, paint brush, toothbrush, hair brush, pen, pencil, torch."""

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
    parts_where,
    rounded_rectangle,
    sweep,
)
from render_affordances.meshes.model import ObjectModel
from render_affordances.shapes.parts.assembly import assemble, end, finish, grip, surface
from render_affordances.shapes.parts.tools import bar_handle, held_at, long_tool, straight_rod

COLOURED = ("plastic", "plastic", "plastic", "rubber", "dark_plastic", "wood")


def build_screwdriver(random: Generator) -> ObjectModel:
    """Build a screwdriver, a file or an awl."""
    family = str(random.choice(["slotted", "cross", "stubby", "file"]))
    share = np.linspace(0, 1, 26)
    long = random.uniform(0.075, 0.12) * (0.7 if family == "stubby" else 1.0)
    thick = random.uniform(0.011, 0.017)
    bulge = 0.8 + 0.25 * np.sin(np.pi * np.clip(share * 1.4, 0, 1)) - 0.15 * share
    neck = np.where(share < 0.12, random.uniform(0.6, 0.9), 1.0)
    path = np.column_stack([-share * long, 0 * share, 0 * share])
    radii = thick * bulge * neck
    radii[-1] *= 0.6
    handle = sweep(path, radii, 20, up=(0, 0, 1), power=float(random.uniform(0.7, 1)))
    length = random.uniform(0.08, 0.18) * (0.35 if family == "stubby" else 1.0)
    rod = random.uniform(0.0025, 0.004)
    shaft = straight_rod(np.array([-0.005, 0, 0]), np.array([length, 0, 0]), rod)
    if family == "file":
        shaft = sweep(
            np.linspace((-0.005, 0, 0), (length, 0, 0), 8),
            (0.002, 0.008),
            8,
            up=(0, 0, 1),
            power=0.3,
        )
    tip = blade(
        np.array([(length - 0.002, rod), (length + 0.009, rod * 1.3)]),
        np.array([(length - 0.002, -rod), (length + 0.009, -rod * 1.3)]),
        rod,
    )
    steel = finish(random, "steel", "dark_metal", "brushed_metal")
    surfaces = [
        surface(handle, finish(random, *COLOURED, "plastic"), 1),
        surface(shaft, steel),
        surface(tip, steel, smooth=False),
    ]
    return assemble(
        "screwdriver",
        family,
        surfaces,
        {"handle": 1},
        {"hold": ("handle",)},
        {"hold": [held_at(handle, 2 * thick)]},
    )


def _bristles(low: tuple[float, float, float], size: tuple[float, float, float]) -> Mesh:
    """A block of bristles with a slightly uneven top: low corner and size."""
    x0, y0, z0 = low
    outline = rounded_rectangle(size[0], size[1], min(size[:2]) * 0.3)
    mesh = extrude(outline + np.array([x0 + size[0] / 2, y0 + size[1] / 2]), size[2])
    points = mesh[0].copy()
    top = points[:, 2] > size[2] / 2
    points[top, 2] += 0.08 * size[2] * np.sin(points[top, 0] * 900)
    points[:, 2] += z0
    return points, mesh[1]


def build_brush(random: Generator) -> ObjectModel:
    """Build a paint brush, a pastry brush or an artist's brush."""
    family = str(random.choice(["flat", "round", "pastry"]))
    wide = random.uniform(0.012, 0.035) if family != "round" else random.uniform(0.005, 0.009)
    thick = wide if family == "round" else random.uniform(0.005, 0.008)
    handle, width = bar_handle(
        random,
        random.uniform(0.1, 0.17),
        random.uniform(0.005, 0.008),
        random.uniform(0.006, 0.011),
    )
    ferrule = sweep(
        np.linspace((-0.004, 0, 0), (0.028, 0, 0), 8),
        np.column_stack([np.linspace(0.007, thick, 8), np.linspace(0.009, wide, 8)]),
        20,
        up=(0, 0, 1),
        power=0.7,
    )
    long = random.uniform(0.03, 0.055)
    share = np.linspace(0, 1, 10)
    shrink = 1 - 0.85 * share**2 if family == "round" else 1 + 0.12 * share
    hairs = sweep(
        np.column_stack([0.026 + long * share, 0 * share, 0 * share]),
        np.column_stack([thick * 0.92 * (1 - 0.6 * share**2), wide * 0.95 * shrink]),
        24,
        up=(0, 0, 1),
        power=0.7,
    )
    surfaces = [
        surface(handle, finish(random, "wood", "painted_metal", "plastic", "wood"), 1),
        surface(ferrule, finish(random, "brass", "steel", "plastic")),
        surface(hairs, finish(random, "bristle"), 2),
    ]
    acting = end((0.026 + long, 0, 0), (1, 0, 0), (0, 1, 0), 2 * wide)
    held = held_at(handle, width)
    return long_tool("brush", family, surfaces, "bristles", "brush_with", held, acting)


def build_toothbrush(random: Generator) -> ObjectModel:
    """Build a toothbrush, a dish brush or a hair brush."""
    family = str(random.choice(["manual", "electric", "dish", "hair"]))
    if family == "hair":
        return _hair_brush(random)
    length = random.uniform(0.11, 0.14)
    if family == "dish":
        length *= 1.2
    share = np.linspace(0, 1, 30)
    bend = curve([(0, 0), (0.35, random.uniform(-0.004, 0.008)), (1, random.uniform(0, 0.008))], 30)
    path = np.column_stack([-0.01 - share * length, 0 * share, bend[:, 1]])
    if family == "electric":
        thick = 0.0035 + 0.0095 * np.clip((share - 0.3) / 0.08, 0, 1)
        radii = np.column_stack([thick, thick])
    else:
        wide = 0.0035 + random.uniform(0.002, 0.005) * np.clip((share - 0.25) / 0.3, 0, 1)
        radii = np.column_stack([wide * 0.75, wide])
    radii[-1] *= 0.5
    handle = sweep(path, radii, 18, up=(0, 0, 1))
    ids = parts_where(handle, 1, lambda c: c[:, 0] < -0.01 - 0.3 * length)
    big = 2.0 if family == "dish" else (0.75 if family == "electric" else 1.0)
    long, wide_head = random.uniform(0.022, 0.03) * big, random.uniform(0.01, 0.013) * big
    plate = moved(
        extrude(rounded_rectangle(long + 0.006, wide_head + 0.003, wide_head / 2), 0.004),
        (long / 2 - 0.012, 0, -0.002),
    )
    tall = random.uniform(0.009, 0.012) * (1.6 if family == "dish" else 1.0)
    hairs = _bristles((-0.012, -wide_head / 2, 0.0015), (long, wide_head, tall))
    material = finish(random, "plastic", "plastic", "plastic", "wood", "porcelain")
    surfaces = [
        surface(handle, material, ids),
        surface(plate, material),
        surface(hairs, finish(random, "bristle", "plastic"), 2),
    ]
    acting = end((long / 2 - 0.012, 0, tall), (0, 0, 1), (1, 0, 0), long)
    middle = path[18]
    held = grip("power", middle, (0, 0, 1), (1, 0, 0), 2 * float(radii[18, 1]))
    return long_tool("toothbrush", family, surfaces, "bristles", "brush_with", held, acting)


def _hair_brush(random: Generator) -> ObjectModel:
    long, wide = random.uniform(0.05, 0.06), random.uniform(0.028, 0.038)
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    oval = np.column_stack([long + long * np.cos(angle), wide * np.sin(angle)])
    plate = extrude(oval, 0.012)
    pins = []
    for x in np.linspace(0.2, 1.8, 9) * long:
        for y in np.linspace(-0.8, 0.8, 7) * wide:
            if ((x - long) / long) ** 2 + (y / wide) ** 2 < 0.75:
                start = np.array([x, y, 0.01])
                pins.append(straight_rod(start, start + np.array([0, 0, 0.016]), 0.0011, 3))
    handle, width = bar_handle(random, random.uniform(0.09, 0.12), 0.008, 0.011)
    handle = moved(handle, (0.008, 0, 0.006))
    material = finish(random, "wood", "plastic", "dark_plastic")
    surfaces = [
        surface(plate, material),
        surface(merge(*pins), finish(random, "dark_plastic", "plastic", "bristle"), 2),
        surface(handle, material, 1),
    ]
    acting = end((long, 0, 0.026), (0, 0, 1), (1, 0, 0), 2 * long)
    held = held_at(handle, width)
    return long_tool("toothbrush", "hair", surfaces, "bristles", "brush_with", held, acting)


def _writing_tool(
    name: str, family: str, random: Generator, radius: float, length: float, power: float
) -> ObjectModel:
    tip = random.uniform(0.012, 0.02)
    share = np.linspace(0, 1, 12)
    body = sweep(
        np.column_stack([-share * length, 0 * share, 0 * share]),
        radius,
        16,
        up=(0, 0, 1),
        power=power,
    )
    cone = sweep(
        np.column_stack([tip * share, 0 * share, 0 * share]),
        radius * (1 - 0.93 * share),
        16,
        up=(0, 0, 1),
    )
    ids = parts_where(body, 2, lambda c: c[:, 0] > -0.35 * length)
    ids += parts_where(body, 1, lambda c: c[:, 0] <= -0.35 * length)
    pencil = name == "pencil"
    wood = finish(random, "wood") if pencil else finish(random, "steel", "plastic", "brass")
    surfaces = [
        surface(body, finish(random, "plastic", "painted_metal", "plastic", "steel", "paint"), ids),
        surface(cone, wood, 2),
    ]
    back = straight_rod(
        np.array([-length - 0.008, 0, 0]), np.array([-length + 0.001, 0, 0]), radius * 0.97, 3
    )
    surfaces.append(surface(back, finish(random, "rubber", "plastic", "brass"), 1))
    if not pencil and random.random() < 0.6:
        clip = sweep(
            np.linspace((-length, 0, radius + 0.0015), (-length + 0.035, 0, radius + 0.0015), 6),
            (0.001, 0.0022),
            8,
            up=(0, 0, 1),
        )
        surfaces.append(surface(clip, finish(random, "steel", "brass"), 1))
    held = grip("pinch", (-0.15 * length, 0, 0), (0, 0, 1), (1, 0, 0), 2 * radius)
    return assemble(
        name,
        family,
        surfaces,
        {"barrel": 1, "writing_end": 2},
        {"write": ("writing_end",)},
        {"write": [held]},
        ends={"write": end((tip, 0, 0), (1, 0, 0), (0, 1, 0), 0.002)},
    )


def build_pen(random: Generator) -> ObjectModel:
    """Build a pen or a marker."""
    family = str(random.choice(["ball_point", "marker", "fountain"]))
    thick = {"ball_point": 1.0, "marker": 1.8, "fountain": 1.3}[family]
    radius = random.uniform(0.004, 0.005) * thick
    return _writing_tool("pen", family, random, radius, float(random.uniform(0.11, 0.135)), 1.0)


def build_pencil(random: Generator) -> ObjectModel:
    """Build a pencil or a crayon."""
    family = str(random.choice(["hexagonal", "round", "crayon"]))
    radius = random.uniform(0.0035, 0.0042) * (1.5 if family == "crayon" else 1.0)
    length = random.uniform(0.08, 0.17) * (0.6 if family == "crayon" else 1.0)
    return _writing_tool("pencil", family, random, radius, float(length), 1.0)


def build_torch(random: Generator) -> ObjectModel:
    """Build a torch (flashlight)."""
    share = np.linspace(0, 1, 40)
    length, thin = random.uniform(0.13, 0.22), random.uniform(0.011, 0.016)
    head = thin * random.uniform(1.3, 2.0)
    start = random.uniform(0.62, 0.74)
    radii = thin + (head - thin) * np.clip((share - start) / 0.1, 0, 1)
    radii[0] *= 0.85
    body = sweep(np.column_stack([share * length, 0 * share, 0 * share]), radii, 24, up=(0, 0, 1))
    ids = parts_where(body, 1, lambda c: c[:, 0] < (start - 0.02) * length)
    surfaces = [
        surface(
            body, finish(random, "dark_plastic", "plastic", "brushed_metal", "painted_metal"), ids
        ),
        surface(
            straight_rod(
                np.array([length - 0.001, 0, 0]), np.array([length + 0.001, 0, 0]), head * 0.9, 3
            ),
            finish(random, "glass", "porcelain"),
        ),
    ]
    held = held_at(body, 2 * thin, 0.35)
    return assemble(
        "torch", "straight", surfaces, {"handle": 1}, {"hold": ("handle",)}, {"hold": [held]}
    )
