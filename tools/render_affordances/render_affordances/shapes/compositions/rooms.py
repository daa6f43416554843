"""Parts of rooms: a lounge, a kitchen, a wash stand."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import Mesh, box, merge, revolve
from render_affordances.meshes.model import Array, ObjectModel
from render_affordances.shapes import hand_tools, keys, kitchen, pourers, taps, vessels
from render_affordances.shapes.compositions.tables import things_of
from render_affordances.shapes.compositions.together import (
    fitted,
    prop,
    put,
    scattered,
    together,
)
from render_affordances.shapes.furniture import appliances, sofas, storage
from render_affordances.shapes.furniture.rooms import build_lamp, build_table
from render_affordances.shapes.parts.assembly import finish, surface


def build_lounge(random: Generator) -> ObjectModel:
    """Build a sofa and armchairs around a low table."""
    sofa = sofas.build_sofa(random)
    span, depth = np.ptp(sofa.vertices, axis=0)[:2]
    models = [sofa]
    wide, deep, high = (float(random.uniform(*r)) for r in ((0.6, 1.2), (0.4, 0.65), (0.34, 0.46)))
    y = -depth / 2 - random.uniform(0.25, 0.5) - deep / 2
    if random.random() < 0.85:
        models.append(put(build_table(random, wide, deep, high), (random.normal(0, 0.1), y, 0)))
        half = np.array([wide / 2 - 0.05, deep / 2 - 0.05])
        things = things_of(random, str(random.choice(["breakfast", "drinks", "desk"])), 2, 2)
        middle = np.array([0, y])
        models += scattered(random, things, (middle - half, middle + half), high)
    seed = int(random.integers(1 << 30))
    for side in (-1, 1):
        if random.random() < 0.5:
            same = np.random.default_rng(seed)
            chair = sofas.build_armchair(same)
            x = side * (max(wide, span * 0.5) / 2 + random.uniform(0.6, 0.9))
            at = (x, y - random.uniform(0.0, 0.4), 0)
            models.append(put(chair, at, -side * float(random.uniform(60, 100))))
        elif random.random() < 0.5:
            x = side * (span / 2 + 0.35)
            tall = float(random.uniform(0.45, 0.6))
            models.append(put(build_table(random, 0.42, 0.42, tall), (x, depth * 0.1, 0)))
            lamp = build_lamp(random, float(random.uniform(0.4, 0.65)))
            models.append(put(lamp, (x, depth * 0.1, tall)))
    return together("lounge", sofa.family, models)


def _sink_unit(random: Generator, wide: float, deep: float, high: float) -> ObjectModel:
    """A base unit with a basin let into its top, open upwards."""
    hollow, edge = random.uniform(0.14, 0.2), 0.06
    floor = high - hollow
    metal = finish(random, "steel", "steel", "brushed_metal", "porcelain", "dark_plastic")
    y, x, z = (deep - edge) / 2, (wide - edge) / 2, high - hollow / 2
    walls = [box((0, side * y, z), (wide, edge, hollow)) for side in (-1, 1)]
    walls += [box((side * x, 0, z), (edge, deep, hollow)) for side in (-1, 1)]
    walls.append(box((0, 0, floor), (wide - 0.01, deep - 0.01, 0.004)))
    drain = revolve([(0, floor + 0.002), (0.03, floor + 0.002), (0.03, floor)], 20)
    front = finish(random, "wood", "paint", "enamel")
    surfaces = [
        surface(box((0, 0, floor / 2), (wide, deep, floor)), front, smooth=False, bevel=0.003),
        surface(merge(*walls), metal, smooth=False, bevel=0.004),
        surface(drain, finish(random, "steel", "dark_metal")),
    ]
    return prop("sink", surfaces)


def _row(random: Generator, depth: float, high: float) -> list[ObjectModel]:
    """Base units and appliances side by side, their backs at y = depth / 2."""
    kinds = [str(k) for k in random.permutation(["unit", "stove", "unit", "sink", "washer"])]
    kinds = kinds[: int(random.integers(2, 5))]
    if random.random() < 0.4:
        kinds.insert(0 if random.random() < 0.5 else len(kinds), "fridge")
    seed, x = int(random.integers(1 << 30)), 0.0
    models = []
    for kind in kinds:
        model = _unit(random, kind, seed, depth, high)
        width, deep = np.ptp(model.vertices, axis=0)[:2]
        models.append(put(model, (x + width / 2, depth / 2 - deep / 2, 0)))
        x += float(width) + 0.004
        if kind == "sink":
            tap = taps.build_faucet(random)
            models.append(put(tap, (x - width / 2, depth * 0.44, high)))
    return models


def _unit(random: Generator, kind: str, seed: int, depth: float, high: float) -> ObjectModel:
    """One of a row; units of one seed look alike."""
    if kind == "sink":
        return _sink_unit(random, float(random.uniform(0.5, 0.85)), depth, high)
    if kind == "fridge":
        return appliances.build_fridge(random)
    if kind == "washer":
        return fitted(appliances.build_washer(random), (None, depth, high))
    stove = appliances.build_stove(random)
    if kind == "stove" and stove.family != "builtin":
        return fitted(stove, (None, depth, None if stove.family == "backguard" else high))
    unit = appliances.build_kitchen_unit(np.random.default_rng(seed))
    return fitted(unit, (None, depth, high))


def build_kitchen(random: Generator) -> ObjectModel:
    """Build a row of units, appliances and a sink, things on the worktop, cupboards above."""
    depth, high = random.uniform(0.55, 0.65), random.uniform(0.86, 0.94)
    models = _row(random, depth, high)
    kind = str(random.choice(["cooking", "breakfast"]))
    for model in list(models):
        if model.name == "kitchen_unit":
            low, top = model.vertices.min(axis=0)[:2], model.vertices.max(axis=0)[:2]
            things = things_of(random, kind, int(random.integers(1, 4)), int(random.integers(0, 2)))
            if random.random() < 0.4:
                things.insert(0, pourers.build_kettle(random))
            models += scattered(random, things, (low + 0.04, top - 0.04), high)
        if model.name == "stove" and model.family != "backguard" and random.random() < 0.5:
            at = (model.vertices.min(axis=0) + model.vertices.max(axis=0)) / 2
            at[2] = model.vertices[:, 2].max()
            models.append(put(kitchen.build_pan(random), at, float(random.uniform(0, 360))))
    if random.random() < 0.55:
        end = max(float(model.vertices[:, 0].max()) for model in models)
        models += _wall_cupboards(random, end, depth / 2, high + 0.5)
    return together("kitchen", kind, models)


def _wall_cupboards(random: Generator, end: float, back: float, low: float) -> list[ObjectModel]:
    """Cupboards that hang above the units, from x = 0 to `end`, before a wall at y = `back`."""
    seed, tall, x = int(random.integers(1 << 30)), float(random.uniform(0.5, 0.75)), 0.0
    models = []
    while x < end - 0.7:
        cupboard = storage.build_cupboard(np.random.default_rng(seed))
        hung = fitted(cupboard, (float(random.uniform(0.5, 0.9)), 0.34, tall))
        width = float(np.ptp(hung.vertices[:, 0]))
        models.append(put(hung, (x + width / 2, back - 0.2, low)))
        x += width + 0.004
    return models


def _basin(random: Generator) -> tuple[ObjectModel, Array]:
    """A wash basin on a pedestal or on a cabinet, and where its tap stands."""
    radius, high = random.uniform(0.2, 0.27), random.uniform(0.78, 0.88)
    white = finish(random, "porcelain", "porcelain", "enamel", "ceramic")
    depth = random.uniform(0.1, 0.16)
    rim = random.uniform(0.03, 0.06)
    inside = radius - rim
    line = [(0, high - depth - 0.03), (radius * 0.5, high - depth), (radius, high - 0.03)]
    line += [(radius, high), (inside, high), (inside - 0.02, high - 0.03)]
    line += [(radius * 0.4, high - depth + 0.01), (0, high - depth + 0.005)]
    bowl = revolve(line, 44)
    points = bowl[0] * [random.uniform(1.0, 1.35), 1.0, 1.0]
    shelf = box((0, radius + 0.055, high - 0.022), (radius * 1.7, 0.15, 0.04))
    meshes: list[Mesh] = [(points, bowl[1]), shelf]
    surfaces = [surface(merge(*meshes), white, bevel=0.0)]
    low = high - depth - 0.02
    if random.random() < 0.5:
        foot = revolve([(0, 0), (0.12, 0), (0.09, 0.1), (0.07, low), (0, low)], 28)
        surfaces.append(surface((foot[0] + [0, 0.06, 0], foot[1]), white))
    else:
        cabinet = box((0, 0.06, low / 2), (2.2 * radius, 1.9 * radius, low))
        wood = finish(random, "wood", "enamel", "paint")
        surfaces.append(surface(cabinet, wood, smooth=False, bevel=0.004))
    return prop("basin", surfaces), np.array([0, radius + 0.045, high])


def build_washstand(random: Generator) -> ObjectModel:
    """Build a wash basin with its tap, a mirror above it, and what stands about."""
    basin, place = _basin(random)
    tap = taps.build_faucet(random)
    models = [basin, put(tap, place)]
    back = float(basin.vertices[:, 1].max())
    if random.random() < 0.7:
        wide, tall = random.uniform(0.4, 0.8), random.uniform(0.5, 0.9)
        glass = box((0, back - 0.01, place[2] + 0.35 + tall / 2), (wide, 0.02, tall))
        silver = finish(random, "steel", "screen")
        models.append(prop("mirror", [surface(glass, silver, smooth=False, bevel=0.002)]))
    builders = (keys.build_dispenser, vessels.build_glass, hand_tools.build_toothbrush)
    for side, k in zip((-1, 1), random.permutation(3)[:2], strict=True):
        thing = builders[int(k)](random)
        if random.random() < 0.7 and np.ptp(thing.vertices[:, 0]) < 0.12:
            shift = np.array([side * random.uniform(0.1, 0.13), 0.0, 0.0])
            models.append(put(thing, place + shift))
    return together("washstand", tap.family, models)
