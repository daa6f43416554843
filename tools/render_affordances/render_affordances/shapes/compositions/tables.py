"""Tables with things on them: a tabletop seen from near, a laid table, a desk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import box, loft, merge, revolve, rounded_rectangle
from render_affordances.meshes.model import Array, ObjectModel
from render_affordances.shapes import (
    cutters,
    hand_tools,
    keys,
    kitchen,
    pourers,
    vessels,
)
from render_affordances.shapes.compositions.together import prop, put, scattered, together
from render_affordances.shapes.furniture import chairs, seats
from render_affordances.shapes.furniture.rooms import build_lamp, build_table
from render_affordances.shapes.parts.assembly import finish, surface, transformed
from render_affordances.shapes.props import build_prop

Builder = Callable[[Generator], ObjectModel]

SMALL_THINGS: Mapping[str, tuple[Builder, ...]] = MappingProxyType(
    {
        "breakfast": (
            vessels.build_mug,
            vessels.build_mug,
            kitchen.build_spoon,
            cutters.build_knife,
            pourers.build_jug,
            vessels.build_jar,
            pourers.build_teapot,
            vessels.build_glass,
            kitchen.build_fork,
        ),
        "cooking": (
            cutters.build_knife,
            cutters.build_knife,
            kitchen.build_pan,
            kitchen.build_spatula,
            vessels.build_bottle,
            kitchen.build_whisk,
            kitchen.build_spoon,
            vessels.build_jar,
            cutters.build_scissors,
        ),
        "drinks": (
            vessels.build_wine_glass,
            vessels.build_wine_glass,
            vessels.build_bottle,
            vessels.build_glass,
            vessels.build_mug,
            pourers.build_jug,
        ),
        "workshop": (
            hand_tools.build_screwdriver,
            cutters.build_scissors,
            cutters.build_saw,
            hand_tools.build_torch,
            hand_tools.build_brush,
            hand_tools.build_pencil,
        ),
        "desk": (
            cutters.build_scissors,
            hand_tools.build_pen,
            hand_tools.build_pencil,
            vessels.build_mug,
            keys.build_remote,
            vessels.build_bottle,
        ),
    }
)
"""What lies about together."""


def things_of(random: Generator, kind: str, count: int, props: int) -> list[ObjectModel]:
    """Draw things that lie about together, and neutral ones."""
    builders = SMALL_THINGS[kind]
    chosen = random.permutation(len(builders))[:count]
    things = [builders[int(k)](random) for k in chosen]
    return [*things, *[build_prop(random) for _ in range(props)]]


def _saucer(random: Generator) -> ObjectModel:
    """A saucer or a plate."""
    radius = random.uniform(0.065, 0.13)
    line = [(0, 0), (radius * 0.55, 0), (radius, 0.014), (radius * 0.98, 0.017), (0, 0.004)]
    return prop("saucer", [surface(revolve(line, 44), finish(random, "porcelain", "ceramic"))])


def _board(random: Generator) -> ObjectModel:
    """A chopping board or a place mat."""
    outline = rounded_rectangle(random.uniform(0.25, 0.42), random.uniform(0.2, 0.3), 0.02)
    thick = random.uniform(0.003, 0.02)
    kinds = ("wood", "wood", "cloth", "label", "plastic")
    return prop("board", [surface(loft([outline, outline], [0, thick]), finish(random, *kinds))])


def _on_something(random: Generator, model: ObjectModel) -> ObjectModel:
    """Mostly a thing as it is, now and then on a saucer or a board."""
    if random.random() < 0.7 or not model.affords:
        return model
    under = _saucer(random) if model.name in ("mug", "glass") else _board(random)
    lift = 0.006 if under.name == "prop" and model.name in ("mug", "glass") else 0.0
    top = float(under.vertices[:, 2].max()) if lift == 0.0 else lift
    raised = transformed(model, np.eye(3), np.array([0, 0, top]))
    return together("prop", "pair", [raised, under], "table")


def build_tabletop(random: Generator) -> ObjectModel:
    """Build three to seven small things that lie and stand close to each other."""
    kind = str(random.choice([*SMALL_THINGS], p=[0.3, 0.25, 0.2, 0.1, 0.15]))
    count, props = int(random.integers(3, 7)), int(random.integers(1, 4))
    models = [_on_something(random, one) for one in things_of(random, kind, count, props)]
    half = np.array([random.uniform(0.17, 0.32), random.uniform(0.15, 0.26)])
    placed = scattered(random, models, (-half, half), 0.0)
    return together("tabletop", kind, placed, "table")


def _place_setting(
    random: Generator, builders: tuple[Builder, ...], seed: int
) -> list[ObjectModel]:
    """A plate with cutlery and glasses about the origin; whoever eats sits at -y."""
    same = np.random.default_rng(seed)
    plate = _saucer(same)
    side = float(np.abs(plate.vertices[:, 0]).max()) + 0.03
    models = [plate, put(kitchen.build_fork(same), (-side, -0.02, 0), 270.0)]
    models.append(put(cutters.build_knife(same), (side, -0.02, 0), 270.0))
    drink = builders[int(same.integers(len(builders)))](same)
    models.append(put(drink, (side + random.uniform(-0.03, 0.05), 0.16, 0), random.uniform(0, 360)))
    return [one for one in models if random.random() < 0.9]


def _around(random: Generator, wide: float, deep: float) -> list[tuple[Array, float]]:
    """Places around a table and the yaw of whoever sits there."""
    rows = int(random.integers(1, 4)) if wide > 1.3 else int(random.integers(1, 3))
    places = []
    for side in (-1, 1):
        for k in range(rows):
            x = (k - (rows - 1) / 2) * wide / rows
            places.append((np.array([x, side * deep / 2, 0]), 180.0 if side < 0 else 0.0))
    ends = [side for side in (-1, 1) if random.random() < 0.4]
    return places + [(np.array([side * wide / 2, 0, 0]), 90.0 * side) for side in ends]


def build_dinner(random: Generator) -> ObjectModel:
    """Build a table with chairs around it, mostly laid."""
    wide, deep, high = (float(random.uniform(*r)) for r in ((0.9, 1.9), (0.75, 1.0), (0.7, 0.78)))
    models = [build_table(random, wide, deep, high)]
    build = seats.build_chair if random.random() < 0.25 else chairs.build_dining_chair
    chair = build(random)
    depth = float(np.ptp(chair.vertices[:, 1])) / 2
    seed = int(random.integers(1 << 30))
    drinks = (vessels.build_wine_glass, vessels.build_glass, vessels.build_mug)
    laid = random.random() < 0.6
    for place, yaw in _around(random, wide, deep):
        out = place / np.linalg.norm(place)
        if random.random() < 0.9:
            pulled = random.uniform(-0.6, 0.9) * depth
            models.append(put(chair, place + out * pulled, yaw + float(random.normal(0, 8))))
        if laid:
            models += [
                put(one, place - out * 0.2 + [0, 0, high], yaw + 180.0)
                for one in _place_setting(random, drinks, seed)
            ]
    half = np.array([0.22 * wide, 0.12 * deep])
    things = things_of(random, str(random.choice(["breakfast", "drinks"])), 2, 1)
    models += scattered(random, things, (-half, half), high)
    return together("dinner", "laid" if laid else "bare", models)


def _monitor(random: Generator) -> ObjectModel:
    """A screen on a foot, or an old deep one."""
    wide = random.uniform(0.36, 0.6)
    high = wide * random.uniform(0.56, 0.78)
    case = finish(random, "dark_plastic", "dark_plastic", "enamel", "brushed_metal")
    lift = random.uniform(0.06, 0.14)
    deep = 0.3 if random.random() < 0.25 else 0.03
    body = box((0, deep / 2, lift + high / 2), (wide, deep, high))
    glass = box((0, -0.001, lift + high / 2), (wide * 0.93, 0.004, high * 0.9))
    foot = box((0, 0.04, 0.008), (wide * 0.45, 0.18, 0.016))
    neck = box((0, 0.05, lift / 2 + 0.02), (0.06, 0.03, lift + 0.05))
    surfaces = [
        surface(body, case, smooth=False, bevel=0.006),
        surface(glass, finish(random, "screen", "screen", "daylight"), smooth=False),
        surface(merge(foot, neck), case, smooth=False, bevel=0.003),
    ]
    return prop("monitor", surfaces)


def _tower(random: Generator) -> ObjectModel:
    """A computer's case."""
    high = random.uniform(0.38, 0.5)
    case = box((0, 0, high / 2), (0.19, 0.42, high))
    plate = box((0, -0.212, high * 0.75), (0.15, 0.006, high * 0.3))
    kinds = ("dark_plastic", "enamel", "brushed_metal")
    surfaces = [
        surface(case, finish(random, *kinds), smooth=False, bevel=0.004),
        surface(plate, finish(random, *kinds), smooth=False, bevel=0.002),
    ]
    return prop("tower", surfaces)


def _computer(random: Generator, x: float, deep: float, high: float) -> list[ObjectModel]:
    """A laptop, or a monitor with a keyboard before it, and mostly a mouse, on a desk."""
    if random.random() < 0.35:
        at = (x, -0.05 * deep, high)
        models = [put(keys.build_laptop(random), at, float(random.normal(0, 12)))]
    else:
        back = max(deep * 0.5 - 0.36, 0.02)
        models = [
            put(_monitor(random), (x, back, high), float(random.normal(0, 10))),
            put(keys.build_keyboard(random), (x, -deep * 0.27, high), float(random.normal(0, 5))),
        ]
    if random.random() < 0.7:
        reach = max(float(model.vertices[:, 0].max()) for model in models)
        at = (reach + 0.05, -deep * 0.27, high)
        models.append(put(keys.build_mouse(random), at, float(random.normal(0, 10))))
    return models


def build_office(random: Generator) -> ObjectModel:
    """Build a desk with a computer, what lies about on it, and mostly a chair before it."""
    wide, deep, high = (float(random.uniform(*r)) for r in ((1.1, 1.8), (0.6, 0.8), (0.7, 0.76)))
    models = [build_table(random, wide, deep, high)]
    x = float(random.uniform(-0.2, 0.2)) * wide
    computer = _computer(random, x, deep, high)
    low = min(float(model.vertices[:, 0].min()) for model in computer)
    top = max(float(model.vertices[:, 0].max()) for model in computer)
    models += computer
    for start, stop in ((-wide / 2 + 0.03, low - 0.02), (top + 0.02, wide / 2 - 0.03)):
        if stop - start > 0.16:
            area = (np.array([start, -deep / 2 + 0.03]), np.array([stop, deep / 2 - 0.03]))
            count, props = int(random.integers(1, 4)), int(random.integers(0, 3))
            things = things_of(random, "desk", count, props)
            if random.random() < 0.4:
                things.insert(0, build_lamp(random, float(random.uniform(0.35, 0.55))))
            models += scattered(random, things, area, high)
    if random.random() < 0.5:
        models.append(put(_tower(random), (random.choice([-1, 1]) * (wide / 2 + 0.2), 0.05, 0)))
    if random.random() < 0.75:
        swivelling = random.random() < 0.8
        build = chairs.build_swivel_chair if swivelling else chairs.build_dining_chair
        away = (x + random.normal(0, 0.25), -deep / 2 - random.uniform(0.1, 0.5), 0)
        models.append(put(build(random), away, 180.0 + float(random.normal(0, 50))))
    return together("office", "laptop" if computer[0].name == "laptop" else "computer", models)
