"""Things to pour from: kettle, teapot, jug, watering can."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import Mesh, curve, parts_where, revolve, sweep
from render_affordances.meshes.model import Array, Finish, Grip, ObjectModel, Surface, ToolEnd
from render_affordances.shapes.parts.assembly import assemble, end, finish, grip, surface
from render_affordances.shapes.parts.handles import arch, bar_width, middle_of, side_handle
from render_affordances.shapes.vessels import wall_of

PARTS = {"handle": 1, "spout": 2}
AFFORDS = {"hold": ("handle",), "pour": ("spout",)}


def _pourer(
    name: str, family: str, surfaces: list[Surface], held: Grip, spout: ToolEnd
) -> ObjectModel:
    return assemble(
        name,
        family,
        surfaces,
        PARTS,
        AFFORDS,
        {"hold": [held], "pour": [held]},
        ends={"pour": spout},
    )


def _mirrored(path: Array) -> Array:
    return path * [-1.0, 1.0, 1.0]


def _spout(random: Generator, start: Array, tip: Array, wide: float, narrow: float) -> Mesh:
    bend = start * [0.35, 1, 0.75] + tip * [0.65, 1, 0.25]
    path = curve([start, bend, tip] if random.random() < 0.7 else [start, tip], 18)
    radii = np.linspace(wide, narrow, 18)
    return sweep(path, np.column_stack([radii * random.uniform(0.8, 1.0), radii]), 20)


def _kettle_spout(
    random: Generator, family: str, radii: Array, height: float
) -> tuple[Mesh, Array, float]:
    """A kettle's spout, its tip, and half its width there."""
    level, lid = np.linspace(0, 1, len(radii)), float(radii[-1])
    if family == "electric" and random.random() < 0.6:
        tip, start = np.array([lid + 0.025, 0, height]), np.array([lid * 0.75, 0, height * 0.82])
        return sweep(np.linspace(start, tip, 8), np.linspace(0.03, 0.013, 8), 20), tip, 0.013
    low = random.uniform(0.15, 0.3) if family == "goose_neck" else random.uniform(0.4, 0.62)
    start = np.array([float(np.interp(low, level, radii)) - 0.012, 0, low * height])
    spread = random.uniform(0.05, 0.085)
    tip = np.array([start[0] + spread, 0, height * random.uniform(0.95, 1.08)])
    wide, narrow = random.uniform(0.014, 0.022), random.uniform(0.006, 0.01)
    if family != "goose_neck":
        return _spout(random, start, tip, wide, narrow), tip, narrow
    bend = start + np.array([spread * 0.8, 0, 0.01]), tip - np.array([spread * 0.5, 0, 0.02])
    line = curve(np.stack([start, *bend, tip]), 24)
    return sweep(line, np.linspace(0.01, narrow * 0.8, 24), 18), tip, narrow * 0.8


def _kettle_handle(
    random: Generator, family: str, radii: Array, height: float
) -> tuple[Array, tuple[float, float, float]]:
    """Path of a kettle's handle, and from where a hand comes to it."""
    level, lid = np.linspace(0, 1, len(radii)), float(radii[-1])
    if family == "stove_top":
        half, rise = lid * random.uniform(0.85, 1.2), random.uniform(0.06, 0.1)
        return arch(half, height * 0.95, rise, 0.7), (0, 0, 1)
    style = str(random.choice(["square", "round", "ear", "hanging"]))
    low, high = (
        (float(np.interp(share, level, radii)) - 0.004, share * height)
        for share in (random.uniform(0.2, 0.35), random.uniform(0.82, 0.94))
    )
    return _mirrored(side_handle(style, low, high, random.uniform(0.04, 0.06))), (-1, 0, 0)


def build_kettle(random: Generator) -> ObjectModel:
    """Build a kettle: for the stove, electric, or goose-necked."""
    family = str(random.choice(["stove_top", "stove_side", "electric", "goose_neck"]))
    radius, height = random.uniform(0.065, 0.095), random.uniform(0.11, 0.19)
    level = np.linspace(0, 1, 24)
    top = random.uniform(0.4, 0.75) if family != "electric" else random.uniform(0.65, 0.9)
    radii = radius * (1 - (1 - top) * level ** random.uniform(1.1, 2.6))
    if family.startswith("stove") and random.random() < 0.4:
        radii = radii * (0.85 + 0.2 * np.sin(np.pi * np.clip(level * 0.9 + 0.1, 0, 1)))
    side = [tuple(p) for p in np.column_stack([radii, level * height])[1:]]
    lid = float(radii[-1])
    body = revolve(
        [(0, 0), (radii[0] * 0.95, 0), *side, (lid * 0.6, height * 1.05), (0, height * 1.07)], 52
    )
    knob_low = height * 1.06
    knob = revolve(
        [(0, knob_low), (0.006, knob_low), (0.013, knob_low + 0.012), (0, knob_low + 0.022)], 24
    )
    material = finish(
        random, "steel", "steel", "painted_metal", "painted_metal", "ceramic", "plastic"
    )
    dark = finish(random, "dark_plastic", "wood", "plastic")
    spout, tip, narrow = _kettle_spout(random, family, radii, height)
    thick = bar_width(random, 0.006, 0.012)
    path, normal = _kettle_handle(random, family, radii, height)
    centre, along = middle_of(path)
    surfaces = [
        surface(body, material),
        surface(knob, dark),
        surface(spout, material if random.random() < 0.8 else dark, 2),
        surface(sweep(path, thick, 18, power=0.8), dark if random.random() < 0.75 else material, 1),
    ]
    held = grip("power", centre, normal, along, 2 * float(thick[0]))
    pouring = end(tip, (1, 0, -0.6), (0, 1, 0), 2 * narrow)
    return _pourer("kettle", family, surfaces, held, pouring)


def build_teapot(random: Generator) -> ObjectModel:
    """Build a teapot or a coffee pot."""
    family = str(random.choice(["round", "tall", "flat"]))
    radius = random.uniform(0.05, 0.075)
    height = radius * {"round": 1.5, "tall": 2.3, "flat": 1.05}[family] * random.uniform(0.9, 1.1)
    level = np.linspace(0, 1, 24)
    radii = radius * (0.6 + 0.4 * np.sin(np.pi * np.clip(level * 0.88 + 0.07, 0, 1)))
    side = [tuple(p) for p in np.column_stack([radii, level * height])[1:]]
    rim = float(radii[-1])
    lid = [(rim * 0.95, height + 0.004), (rim * 0.5, height + rim * 0.35)]
    lid += [(0.006, height + rim * 0.42), (0.011, height + rim * 0.42 + 0.012)]
    body = revolve([(0, 0), (radii[0], 0), *side, *lid, (0, height + rim * 0.42 + 0.02)], 52)
    material = finish(random, "ceramic", "porcelain", "porcelain", "steel", "dark_metal")
    begin = random.uniform(0.25, 0.45)
    start = np.array([float(np.interp(begin, level, radii)) - 0.008, 0, begin * height])
    tip = start + np.array(
        [random.uniform(0.04, 0.065), 0, height * random.uniform(0.9, 1.02) - start[2]]
    )
    spout = _spout(random, start, tip, random.uniform(0.012, 0.019), random.uniform(0.005, 0.008))
    low, high = (
        (float(np.interp(s, level, radii)) - 0.003, s * height)
        for s in (random.uniform(0.2, 0.35), random.uniform(0.75, 0.9))
    )
    style = str(random.choice(["round", "ear", "square"]))
    path = _mirrored(side_handle(style, low, high, random.uniform(0.028, 0.045)))
    thick = bar_width(random, 0.004, 0.008)
    centre, along = middle_of(path)
    handle_material = material if random.random() < 0.8 else finish(random, "wood", "dark_plastic")
    surfaces = [
        surface(body, material),
        surface(spout, material, 2),
        surface(sweep(path, thick, 18), handle_material, 1),
    ]
    held = grip("power", centre, (-1, 0, 0), along, 2 * float(thick[0]))
    return _pourer("teapot", family, surfaces, held, end(tip, (1, 0, -0.6), (0, 1, 0), 0.012))


def build_jug(random: Generator) -> ObjectModel:
    """Build an open jug or pitcher with a lip."""
    family = str(random.choice(["straight", "belly", "conical", "measuring"]))
    radius, height = random.uniform(0.045, 0.065), random.uniform(0.11, 0.23)
    level = np.linspace(0, 1, 30)
    if family == "belly":
        radii = radius * (0.72 + 0.4 * np.sin(np.pi * np.clip(level * 0.8 + 0.1, 0, 1)) ** 1.5)
    else:
        slope = {"straight": 0.0, "conical": -0.4, "measuring": 0.15}[family]
        radii = radius * (1 + slope * (level - 0.5) * random.uniform(0.7, 1.3))
    mesh = wall_of(np.asarray(radii), height, random.uniform(0.002, 0.004))
    points = mesh[0].copy()
    angle = np.arctan2(points[:, 1], points[:, 0])
    rise = np.clip((points[:, 2] / height - 0.72) / 0.28, 0, 1) ** 1.6
    beak = np.exp(-((angle / random.uniform(0.3, 0.45)) ** 2)) * rise
    reach = random.uniform(0.018, 0.032)
    points[:, 0] += beak * reach
    points[:, 1] *= 1 - 0.25 * beak
    points[:, 2] += beak * random.uniform(0.0, 0.012)
    body = (points, mesh[1])
    lip = parts_where(
        body,
        2,
        lambda c: (c[:, 2] > 0.78 * height) & (np.abs(np.arctan2(c[:, 1], c[:, 0])) < 0.62),
    )
    material = finish(random, "glass", "ceramic", "porcelain", "plastic", "steel", "painted_metal")
    low, high = (
        (float(np.interp(s, level, radii)) - 0.003, s * height)
        for s in (random.uniform(0.15, 0.35), random.uniform(0.8, 0.94))
    )
    style = str(random.choice(["round", "square", "ear", "angular"]))
    path = _mirrored(side_handle(style, low, high, random.uniform(0.035, 0.055)))
    thick = bar_width(random, 0.005, 0.01)
    centre, along = middle_of(path)
    surfaces = [
        surface(body, material, lip),
        surface(sweep(path, thick, 18, power=0.8), material, 1),
    ]
    if random.random() < 0.5:
        fill = float(random.uniform(0.4, 0.7))
        inner = float(np.interp(fill, level, radii)) - 0.005
        top = revolve([(0, fill * height), (inner, fill * height)], 40)
        surfaces.append(surface(top, Finish("liquid", int(random.integers(1 << 30)))))
    held = grip("power", centre, (-1, 0, 0), along, 2 * float(thick[0]))
    tip = np.array([float(radii[-1]) + reach, 0, height])
    return _pourer("jug", family, surfaces, held, end(tip, (1, 0, -0.5), (0, 1, 0), 0.02))


def build_watering_can(random: Generator) -> ObjectModel:
    """Build a watering can."""
    radius, height = random.uniform(0.07, 0.1), random.uniform(0.12, 0.2)
    taper = random.uniform(0.8, 1.0)
    body = revolve(
        [
            (0, 0),
            (radius, 0),
            (radius * taper, height),
            (radius * taper * 0.7, height * 1.03),
            (radius * taper * 0.7, height * 1.0),
            (0, height * 1.0),
        ],
        48,
    )
    start = np.array([radius * 0.95, 0, height * random.uniform(0.12, 0.3)])
    tip = start + np.array([random.uniform(0.12, 0.2), 0, height * random.uniform(0.85, 1.2)])
    spout = sweep(np.linspace(start, tip, 16), np.linspace(0.018, 0.009, 16), 18)
    surfaces_spout = [spout]
    along_spout = (tip - start) / np.linalg.norm(tip - start)
    family = "plain"
    if random.random() < 0.6:
        family = "rose"
        rose = np.linspace(tip, tip + along_spout * 0.03, 6)
        surfaces_spout.append(sweep(rose, np.linspace(0.01, random.uniform(0.02, 0.032), 6), 24))
    if random.random() < 0.5:
        path = arch(radius * 0.75, height * 1.0, random.uniform(0.07, 0.1), 0.7)
        normal: tuple[float, float, float] = (0, 0, 1)
    else:
        low, high = (radius * 0.97, height * 0.25), (radius * taper * 0.8, height * 1.0)
        path = _mirrored(side_handle("round", low, high, random.uniform(0.05, 0.08)))
        normal = (-1, 0, 0)
    thick = bar_width(random, 0.006, 0.011)
    material = finish(random, "plastic", "painted_metal", "painted_metal", "brushed_metal")
    centre, along = middle_of(path)
    surfaces = [surface(body, material), surface(sweep(path, thick, 18), material, 1)]
    surfaces += [surface(mesh, material, 2) for mesh in surfaces_spout]
    held = grip("power", centre, normal, along, 2 * float(thick[0]))
    pouring = end(tip + along_spout * 0.03, (1, 0, -0.4), (0, 1, 0), 0.04)
    return _pourer("watering_can", family, surfaces, held, pouring)
