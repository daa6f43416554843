"""Things carried or worked with by a handle: suitcase, bag, bucket, shovel, pliers."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from render_affordances.meshes.geometry import (
    Mesh,
    box,
    curve,
    loft,
    merge,
    moved,
    parts_where,
    revolve,
    rounded_rectangle,
    sweep,
)
from render_affordances.meshes.model import Array, Grip, ObjectModel, Surface
from render_affordances.shapes.parts.assembly import assemble, finish, grip, surface
from render_affordances.shapes.parts.handles import arch
from render_affordances.shapes.parts.tools import straight_rod


def _carried(
    name: str, family: str, surfaces: list[Surface], grips: list[Grip], support: str
) -> ObjectModel:
    """Part 1 is what it is held by."""
    return assemble(
        name,
        family,
        surfaces,
        {"handle": 1},
        {"hold": ("handle",)},
        {"hold": grips},
        support=support,
    )


def _strap(half: float, rise: float, radius: float) -> tuple[Mesh, Array]:
    """A flat handle over z = 0 along x, and its middle."""
    path = arch(half, 0.0, rise, 0.35)
    return sweep(path, (radius * 1.8, radius), 12, up=(0, 1, 0), power=0.7), path[len(path) // 2]


def _case_body(
    random: Generator, wide: float, deep: float, high: float, foot: float
) -> list[Surface]:
    """A shell with grooves, standing upright, `foot` above the floor."""
    outline = rounded_rectangle(wide, deep, min(deep * 0.35, 0.07))
    levels = np.array([0.0, 0.03, 0.08, 0.92, 0.97, 1.0]) * high + foot
    scales = [0.86, 0.96, 1.0, 1.0, 0.96, 0.86]
    body = loft([outline * s for s in scales], list(levels))
    shell = finish(random, "plastic", "painted_metal", "cloth", "cloth", "leather", "enamel")
    surfaces = [surface(body, shell)]
    if random.random() < 0.6:
        upright = random.random() < 0.7
        grooves = [
            box((x * wide * 0.4, -deep / 2, foot + high / 2), (0.012, 0.012, high * 0.8))
            if upright
            else box((0, -deep / 2, foot + high * (0.5 + x * 0.4)), (wide * 0.85, 0.012, 0.012))
            for x in np.linspace(-1, 1, int(random.integers(3, 8)))
        ]
        surfaces.append(surface(merge(*grooves), shell, smooth=False, bevel=0.004))
    seam = outline * 1.004
    band = loft([seam[:, [1, 0]] * [0.12, 1.0], seam[:, [1, 0]] * [0.12, 1.0]], [0.0, high])
    points = band[0][:, [1, 0, 2]] + [0, 0, foot]
    trim = (points * [1, 1, 0.96] + [0, 0, 0.02 * high], [face[::-1] for face in band[1]])
    surfaces.append(surface(trim, finish(random, "dark_plastic", "steel", "leather")))
    return surfaces


def _castors(random: Generator, x: float, y: float) -> list[Surface]:
    """Four wheels under the corners of a case."""
    corners = [np.array([i * x, j * y, 0.026]) for i in (-1, 1) for j in (-1, 1)]
    half, lift = np.array([0.012, 0, 0]), np.array([0, 0, 0.024])
    wheels = [
        sweep(np.linspace(at - half, at + half, 3), 0.026, 18, up=(0, 0, 1)) for at in corners
    ]
    blocks = [box(at + lift, (0.04, 0.04, 0.03)) for at in corners]
    return [
        surface(merge(*wheels), finish(random, "rubber", "dark_plastic")),
        surface(merge(*blocks), finish(random, "dark_plastic"), smooth=False),
    ]


def build_suitcase(random: Generator) -> ObjectModel:
    """Build a suitcase: a trolley with its bar out or in, or one with a carrying handle."""
    family = str(random.choice(["trolley", "trolley", "trolley_in", "classic"]))
    bounds = ((0.32, 0.5), (0.18, 0.28), (0.45, 0.72))
    if family == "classic":
        bounds = ((0.45, 0.7), (0.14, 0.2), (0.32, 0.46))
    wide, deep, high = (float(random.uniform(*one)) for one in bounds)
    foot = 0.05 if family != "classic" else 0.004
    surfaces = _case_body(random, wide, deep, high, foot)
    dark = finish(random, "dark_plastic", "dark_plastic", "rubber", "leather", "steel")
    top = foot + high
    strap, middle = _strap(random.uniform(0.06, 0.1), random.uniform(0.03, 0.05), 0.008)
    place = np.array([0, 0, top - 0.006])
    grips = [grip("power", middle + place, (0, 0, 1), (1, 0, 0), 0.02)]
    surfaces.append(surface(moved(strap, place), dark, 1))
    if family != "classic":
        rise = random.uniform(0.2, 0.42) if family == "trolley" else 0.02
        half, y = wide * random.uniform(0.2, 0.32), deep * 0.34
        rods = [
            straight_rod(
                np.array([x * half, y, top - 0.02]), np.array([x * half, y, top + rise]), 0.009
            )
            for x in (-1, 1)
        ]
        bar = box((0, y, top + rise), (2 * half + 0.035, 0.028, 0.032))
        surfaces += [
            surface(merge(*rods), finish(random, "steel", "brushed_metal", "dark_metal")),
            surface(bar, dark, 1, smooth=False, bevel=0.009),
        ]
        grips.insert(0, grip("power", (0, y, top + rise), (0, 0, 1), (1, 0, 0), 0.03))
        surfaces += _castors(random, wide * 0.4, deep * 0.36)
    if random.random() < 0.4:
        side, middle = _strap(0.08, 0.04, 0.007)
        points = side[0][:, [2, 1, 0]] * [1, 1, -1]
        place = np.array([wide / 2 - 0.006, 0, foot + high / 2])
        surfaces.append(surface(moved((points, side[1]), place), dark, 1))
        grips.append(
            grip("power", np.array([middle[2], 0, 0]) + place, (1, 0, 0), (0, 0, 1), 0.018)
        )
    return _carried("suitcase", family, surfaces, grips, "floor")


def build_bag(random: Generator) -> ObjectModel:
    """Build a handbag, a shopping bag, a basket or a briefcase."""
    family = str(random.choice(["handbag", "tote", "paper", "basket", "briefcase"]))
    wide, deep, high = (
        random.uniform(0.24, 0.4),
        random.uniform(0.08, 0.16),
        random.uniform(0.18, 0.34),
    )
    outline = rounded_rectangle(wide, deep, deep * (0.1 if family == "paper" else 0.4))
    flare = {"basket": 1.2, "handbag": 0.8, "briefcase": 1.0}.get(family, 1.0)
    squeeze = np.array([flare, 0.45 if family in ("handbag", "tote") else flare])
    body = loft([outline * 0.96, outline, outline * squeeze], [0.0, 0.02, high])
    kinds = {"paper": ("label", "paint"), "basket": ("wood", "cloth"), "tote": ("cloth", "label")}
    cover = finish(random, *kinds.get(family, ("leather", "leather", "cloth", "plastic")))
    surfaces = [surface(body, cover)]
    held = cover if random.random() < 0.5 else finish(random, "leather", "cloth", "wood", "brass")
    half, rise = wide * random.uniform(0.18, 0.3), random.uniform(0.09, 0.2)
    if family == "briefcase":
        rise = random.uniform(0.035, 0.05)
    if family == "basket":
        half = wide * 0.58
    grips = []
    sides = (0.0,) if family in ("briefcase", "basket") else (-1.0, 1.0)
    for side in sides:
        path = arch(half, high - 0.015, rise, random.uniform(0.5, 1.0))
        path[:, 1] += side * deep * 0.2 * squeeze[1] + side * 0.02 * np.sin(
            np.linspace(0, np.pi, len(path))
        )
        radius = random.uniform(0.004, 0.008)
        surfaces.append(
            surface(sweep(path, (radius * random.uniform(1.0, 2.2), radius), 12), held, 1)
        )
        grips.append(grip("power", path[len(path) // 2], (0, 0, 1), (1, 0, 0), 2 * radius))
    if family in ("handbag", "briefcase") and random.random() < 0.6:
        clasp = box((0, -deep * 0.38, high * 0.7), (0.03, 0.03, 0.02))
        surfaces.append(surface(clasp, finish(random, "brass", "steel"), smooth=False, bevel=0.003))
    return _carried("bag", family, surfaces, grips, "table")


def build_bucket(random: Generator) -> ObjectModel:
    """Build a bucket with a bail: held by the bail, poured from its rim."""
    radius, high = random.uniform(0.1, 0.15), random.uniform(0.2, 0.3)
    low = radius * random.uniform(0.65, 0.85)
    line = [(0, 0), (low, 0), (low + 0.002, 0.004), (radius, high), (radius + 0.008, high + 0.004)]
    line += [(radius - 0.001, high + 0.006), (low - 0.004, 0.01), (0, 0.01)]
    body = finish(random, "plastic", "plastic", "steel", "painted_metal", "brushed_metal")
    up = random.random() < 0.6
    rise = radius * random.uniform(0.9, 1.2)
    path = arch(radius + 0.006, high - 0.015, rise, 0.9)
    grips = [grip("power", path[16], (0, 0, 1), (1, 0, 0), 0.02)]
    middle = slice(11, 21)
    sleeve = sweep(path[middle], random.uniform(0.009, 0.013), 14)
    wire = sweep(path, 0.0035, 10)
    if not up:
        tilt = np.deg2rad(random.uniform(70, 105))
        turn = np.array(
            [[1, 0, 0], [0, np.cos(tilt), np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]]
        )
        pivot = np.array([0, 0, high - 0.015])
        wire, sleeve = (((mesh[0] - pivot) @ turn + pivot, mesh[1]) for mesh in (wire, sleeve))
        point, out = (path[16] - pivot) @ turn + pivot, np.array([0, 0, 1.0]) @ turn
        grips = [grip("power", point, out, (1, 0, 0), 0.02)]
    shell = revolve(line, 48)
    surfaces = [
        surface(shell, body),
        surface(wire, finish(random, "steel", "dark_metal"), 1),
        surface(sleeve, finish(random, "plastic", "wood", "dark_plastic"), 1),
    ]
    return _carried("bucket", "up" if up else "down", surfaces, grips, "floor")


def _shovel_blade(random: Generator, family: str) -> Mesh:
    """A blade from x = 0 forward, hollow upwards."""
    long, wide = random.uniform(0.24, 0.32), random.uniform(0.09, 0.13)
    if family == "trowel":
        long, wide = random.uniform(0.12, 0.17), random.uniform(0.03, 0.045)
    rows, columns = 14, 9
    t = np.linspace(0, 1, rows)
    edge = wide * (0.85 + 0.2 * np.sin(np.pi * t * 0.8))
    if family != "snow":
        edge *= np.sqrt(np.clip((1.02 - t) / 0.35, 0.02, 1))
    u = np.linspace(-1, 1, columns)
    hollow = random.uniform(0.1, 0.35) * wide
    points = []
    for lift in (0.0, -0.002):
        x = np.repeat(t * long, columns)
        y = np.outer(edge, u).ravel()
        z = hollow * (np.tile(u, rows) ** 2) + lift + 0.02 * np.repeat((1 - t) ** 2, columns)
        points.append(np.column_stack([x, y, z]))
    faces: list[tuple[int, ...]] = []
    for i in range(rows - 1):
        for j in range(columns - 1):
            a, b = i * columns + j, (i + 1) * columns + j
            faces.append((a, b, b + 1, a + 1))
            faces.append(tuple(rows * columns + k for k in (a, a + 1, b + 1, b)))
    return np.concatenate(points), faces


def build_shovel(random: Generator) -> ObjectModel:
    """Build a spade, a snow shovel, a trowel or a rake's cousin with a long shaft."""
    family = str(random.choice(["spade", "spade", "snow", "trowel"]))
    blade = _shovel_blade(random, family)
    length = random.uniform(0.1, 0.14) if family == "trowel" else random.uniform(0.65, 1.0)
    radius = random.uniform(0.012, 0.018)
    s = np.linspace(0, 1, 24)
    neck = 0.05 if family == "trowel" else 0.08
    line = np.column_stack(
        [0.03 - s * (length + neck), 0 * s, 0.025 + random.uniform(0.02, 0.08) * s]
    )
    radii = np.where(s * (length + neck) < neck, 0.6 * radius, radius)
    shaft = sweep(line, radii, 16, up=(0, 0, 1))
    cut, (x, y, z) = 0.03 - neck, line[-1]
    meshes: list[tuple[Mesh, ArrayLike]] = [(shaft, parts_where(shaft, 1, lambda c: c[:, 0] < cut))]
    if family != "trowel" and random.random() < 0.65:
        half = random.uniform(0.05, 0.065)
        arms = [
            sweep(
                curve(
                    [(x, y, z), (x - 0.05, y + k * 0.9 * half, z), (x - 0.11, y + k * half, z)], 8
                ),
                radius * 0.6,
                10,
                up=(0, 0, 1),
            )
            for k in (-1, 1)
        ]
        sides = [np.array([x - 0.11, y + k * half, z]) for k in (-1, 1)]
        cross = straight_rod(sides[0], sides[1], radius * 0.85)
        meshes += [(one, 1) for one in (*arms, cross)]
    wood = finish(random, "wood", "wood", "plastic", "dark_metal", "painted_metal")
    metal = finish(random, "steel", "dark_metal", "painted_metal", "brushed_metal", "plastic")
    surfaces = [surface(blade, metal)]
    surfaces += [surface(mesh, wood, part) for mesh, part in meshes]
    middle = line[14]
    grips = [grip("power", middle, (0, 0, 1), (1, 0, 0), 2 * radius)]
    return _carried("shovel", family, surfaces, grips, "table" if family == "trowel" else "floor")


def build_pliers(random: Generator) -> ObjectModel:
    """Build pliers, pincers or cutters."""
    family = str(random.choice(["flat", "long_nose", "cutter", "slip_joint"]))
    long = random.uniform(0.095, 0.14)
    jaw = {"long_nose": 0.07, "cutter": 0.03}.get(family, 0.045) * random.uniform(0.85, 1.15)
    wide, thick = random.uniform(0.006, 0.009), random.uniform(0.005, 0.008)
    bow, opened = random.uniform(0.014, 0.024), random.uniform(2, 16)
    steel = finish(random, "steel", "dark_metal", "brushed_metal")
    sleeves = random.random() < 0.85
    cover = finish(random, "plastic", "rubber", "plastic", "dark_plastic") if sleeves else steel
    surfaces = []
    share = np.linspace(0, 1, 24)
    for side in (1.0, -1.0):
        points = [
            (0, 0, 0),
            (-0.02, side * bow * 0.55, 0),
            (-long * 0.5, side * bow, 0),
            (-long, side * bow * 0.85, 0),
        ]
        path = curve(points, 24)
        grown = 1.25 if sleeves else 1.0
        radii = np.column_stack([thick * 0.8 * grown + 0 * share, wide * 0.65 * grown + 0 * share])
        radii[-1] *= 0.6
        handle = sweep(path, radii, 14, up=(0, 0, 1), power=0.8)
        ids = parts_where(handle, 1, lambda c: c[:, 0] < -0.2 * long)
        tip = 0.35 if family == "long_nose" else 0.75
        spread = np.linspace(1.0, tip, 8)
        line = np.column_stack(
            [np.linspace(-0.012, jaw, 8), side * wide * 0.55 * spread, np.zeros(8)]
        )
        nose = sweep(
            line,
            np.column_stack([thick * spread, wide * 0.52 * spread]),
            12,
            up=(0, 0, 1),
            power=0.6,
        )
        turn = np.deg2rad(side * opened)
        matrix = np.array(
            [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
        )
        surfaces.append(surface((handle[0] @ matrix, handle[1]), cover, ids))
        surfaces.append(surface((nose[0] @ matrix.T, nose[1]), steel))
    pivot = revolve([(0, -thick), (wide * 1.1, -thick), (wide * 1.1, thick), (0, thick * 1.1)], 24)
    surfaces.append(surface(pivot, steel))
    held = grip("power", (-long * 0.55, bow * 1.1, 0), (0, 0, 1), (1, 0, 0), 2.6 * bow)
    return _carried("pliers", family, surfaces, [held], "table")
