"""Kitchen appliances and units, opened by bars: stove, fridge, washer, kitchen unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import (
    Mesh,
    box,
    facing_front,
    loft,
    merge,
    moved,
    revolve,
    rounded_rectangle,
    turned,
)
from render_affordances.meshes.model import Array, Finish, Grip, ObjectModel, Surface
from render_affordances.shapes.parts.assembly import assemble, finish, grip, surface
from render_affordances.shapes.parts.pulls import METALS, fastened, pull

BODIES = ("enamel", "enamel", "enamel", "steel", "brushed_metal", "painted_metal")
BARS = ("bow", "bar", "strip")


def _bar(
    random: Generator, at: Sequence[float], length: float, upright: bool, metal: Finish
) -> tuple[Surface, Grip]:
    """A stout bar, part 1, whose middle meets the front at `at`; `length` is half of it."""
    style = str(random.choice(BARS))
    made = pull(random, style, length, upright, size=float(random.uniform(1.3, 2.2)))
    return fastened(made, np.asarray(at, dtype=np.float64), metal, upright)


def _knob(random: Generator, radius: float) -> Mesh:
    """A round knob with a mark, standing out of a front at y = 0 about the origin."""
    high = random.uniform(0.018, 0.032)
    line = [(0, 0), (radius, 0), (radius * 0.85, high), (0, high * 1.02)]
    fin = box((0, 0, high), (radius * 0.3, radius * 1.7, high * 0.7))
    mesh = merge(revolve(line, 26), fin)
    return facing_front((turned(mesh[0], "z", float(random.uniform(-90, 90))), mesh[1]))


def _controls(
    random: Generator, centre: Array, wide: float, high: float, body: Finish, knobs: int
) -> tuple[list[Surface], dict[str, list[Grip]]]:
    """A strip with buttons, a display and knobs, facing -y.

    Args:
        random: chooses what is on it.
        centre: (3,) the middle of its front.
        wide: of the strip, in metres.
        high: likewise.
        body: finish of what it belongs to.
        knobs: how many there are.

    Returns:
        Surfaces: part 2 is the strip with its buttons, part 3 the knobs. And the grips to turn
        and to press.
    """
    material = body if random.random() < 0.5 else finish(random, "dark_plastic", "steel", "screen")
    strip = box(centre + np.array([0, 0.004, 0]), (wide, 0.012, high))
    surfaces = [surface(strip, material, 2, smooth=False, bevel=0.002)]
    grips: dict[str, list[Grip]] = {"turn": [], "press": []}
    y = np.array([0, -0.003, 0])
    key = finish(random, "plastic", "porcelain", "dark_plastic", "steel")
    spots = np.linspace(-0.42, 0.42, knobs + 2) * wide
    middle = (knobs + 2) // 2
    taken = [middle - 1, middle] if knobs % 2 == 0 else [middle]
    places = [x for k, x in enumerate(spots) if k not in taken][:knobs]
    radius = min(high * 0.3, 0.024, wide / (knobs + 2) * 0.4)
    for x in places:
        at = centre + np.array([x, 0, 0]) + y
        surfaces.append(surface(moved(_knob(random, radius), at), key, 3))
        grips["turn"].append(
            grip("twist", at + np.array([0, -0.012, 0]), (0, -1, 0), (0, 0, 1), 2 * radius)
        )
    display = box(centre + np.array([0, -0.001, high * 0.12]), (wide * 0.13, 0.008, high * 0.42))
    surfaces.append(surface(display, finish(random, "screen"), 2, smooth=False))
    buttons = []
    free = 0.05 if knobs else 0.3
    for x in np.linspace(-free, free, int(random.integers(3, 7))) * wide:
        size = (min(0.018, wide * 0.03), 0.008, min(0.012, high * 0.16))
        at = centre + np.array([x, -0.002, -high * 0.28])
        buttons.append(box(at, size))
        grips["press"].append(
            grip("push", at + np.array([0, -0.004, 0]), (0, -1, 0), (0, 0, 1), size[0])
        )
    surfaces.append(surface(merge(*buttons), key, 2, smooth=False))
    return surfaces, grips


def _hob(random: Generator, wide: float, deep: float, high: float) -> list[Surface]:
    """A top with four rings, or with grates over gas burners."""
    gas = random.random() < 0.5
    plate = box((0, 0, high + 0.004), (wide * 0.96, deep * 0.94, 0.008))
    kinds = ("steel", "porcelain", "dark_plastic") if gas else ("screen", "screen", "porcelain")
    surfaces = [surface(plate, finish(random, *kinds), smooth=False, bevel=0.002)]
    rings = []
    for x in (-0.24, 0.24):
        for y in (-0.22, 0.22):
            radius = random.uniform(0.06, 0.1)
            at = (x * wide, y * deep, high + 0.008)
            rise = 0.02 if gas else 0.001
            line = [
                (0, 0),
                (radius * 0.5 if gas else radius, 0),
                (radius * 0.5 if gas else radius * 0.98, rise),
                (0, rise),
            ]
            rings.append(moved(revolve(line, 28), at))
            if gas:
                for turn in (0.0, 90.0):
                    bar = box((0, 0, 0.03), (2.3 * radius, 0.012, 0.012))
                    rings.append(moved((turned(bar[0], "z", turn), bar[1]), at))
    surfaces.append(surface(merge(*rings), finish(random, "dark_metal", "dark_plastic")))
    return surfaces


def _stove_door(
    random: Generator, centre: Array, wide: float, tall: float, material: Finish
) -> list[Surface]:
    """A door with a window, before a front whose middle is `centre`."""
    leaf = box(centre - [0, 0.012, 0], (wide - 0.012, 0.024, tall))
    size = (wide * random.uniform(0.5, 0.85), 0.003, tall * random.uniform(0.4, 0.65))
    pane = box(centre - [0, 0.0245, 0.03 * tall], size)
    return [
        surface(leaf, material, smooth=False, bevel=0.004),
        surface(pane, finish(random, "screen"), smooth=False),
    ]


def build_stove(random: Generator) -> ObjectModel:
    """Build a stove or an oven: a bar across its door, knobs and buttons on a strip."""
    family = str(random.choice(["backguard", "front", "front", "builtin"]))
    wide, high, deep = (float(random.uniform(*r)) for r in ((0.5, 0.8), (0.82, 0.94), (0.5, 0.64)))
    if family == "builtin":
        high = random.uniform(0.45, 0.62)
    body = finish(random, *BODIES)
    door_finish = body if random.random() < 0.6 else finish(random, "dark_plastic", "steel")
    surfaces = [surface(box((0, 0, high / 2), (wide, deep, high)), body, smooth=False, bevel=0.004)]
    front, strip = -deep / 2, random.uniform(0.07, 0.12)
    top = high - 0.01 - (strip + 0.01 if family != "backguard" else 0.0)
    low = 0.02 if family == "builtin" else random.uniform(0.12, 0.24)
    tall, z = top - low, (top + low) / 2
    surfaces += _stove_door(random, np.array([0, front, z]), wide, tall, door_finish)
    metal = finish(random, *METALS[:5]) if random.random() < 0.7 else body
    place = (0.0, front - 0.0235, top - tall * float(random.uniform(0.06, 0.12)))
    bars = [_bar(random, place, wide * float(random.uniform(0.3, 0.45)), False, metal)]
    if family != "builtin" and low > 0.1:
        leaf = box((0, front - 0.01, low / 2 + 0.02), (wide - 0.012, 0.02, low - 0.05))
        surfaces.append(surface(leaf, door_finish, smooth=False, bevel=0.004))
        if random.random() < 0.4:
            bars.append(_bar(random, (0, front - 0.0195, low * 0.72), wide * 0.25, False, metal))
    centre = np.array([0, front - 0.01, high - 0.005 - strip / 2])
    if family == "backguard":
        rise = random.uniform(0.12, 0.2)
        guard = box((0, deep / 2 - 0.03, high + rise / 2), (wide, 0.06, rise))
        surfaces.append(surface(guard, body, smooth=False, bevel=0.006))
        centre, strip = np.array([0, deep / 2 - 0.068, high + rise * 0.55]), rise * 0.7
    knobs = int(random.choice([0, 2, 4, 5, 6], p=[0.15, 0.15, 0.3, 0.2, 0.2]))
    panel, grips = _controls(random, centre, wide * 0.96, strip, body, knobs)
    surfaces += [*panel, *[bar for bar, _ in bars]]
    if family != "builtin":
        surfaces += _hob(random, wide, deep, high)
    return _appliance("stove", family, surfaces, [held for _, held in bars], grips)


def _appliance(
    name: str,
    family: str,
    surfaces: list[Surface],
    bars: list[Grip],
    controls: dict[str, list[Grip]],
) -> ObjectModel:
    """Part 1 opens it, part 2 is the panel, part 3 the knobs on it, where there are any."""
    turning = bool(controls["turn"])
    affords = {"open": ("handle",), "press": ("panel", "knobs") if turning else ("panel",)}
    grips = {"open": bars, "press": controls["press"]}
    parts = {"handle": 1, "panel": 2}
    if turning:
        parts["knobs"], affords["turn"], grips["turn"] = 3, ("knobs",), controls["turn"]
    return assemble(name, family, surfaces, parts, affords, grips, support="floor")


def _round_door(
    random: Generator, front: float, z: float, radius: float
) -> tuple[list[Surface], Surface, Grip]:
    """The door of a washing machine, and the grip on its rim."""
    ring = [
        (radius * 0.72, 0),
        (radius, 0),
        (radius, 0.025),
        (radius * 0.8, 0.035),
        (radius * 0.72, 0.02),
    ]
    glass = [(0, 0.03), (radius * 0.5, 0.028), (radius * 0.74, 0.015)]
    at = np.array([0, front, z])
    surfaces = [
        surface(
            moved(facing_front(revolve(ring, 44)), at),
            finish(random, "porcelain", "steel", "dark_plastic"),
        ),
        surface(moved(facing_front(revolve(glass, 44)), at), finish(random, "screen")),
    ]
    side = float(random.choice([-1, 1]))
    outline = rounded_rectangle(0.03, random.uniform(0.07, 0.12), 0.012)
    latch = facing_front(loft([outline, outline, outline * 0.85], [0.0, 0.045, 0.052]))
    place = at + np.array([side * radius * 0.9, 0, 0])
    held = grip("hook", place + np.array([0, -0.04, 0]), (0, -1, 0), (0, 0, 1), 0.03)
    return (
        surfaces,
        surface(
            moved(latch, place), finish(random, "plastic", "steel", "porcelain", "dark_plastic"), 1
        ),
        held,
    )


def build_washer(random: Generator) -> ObjectModel:
    """Build a dishwasher or a washing machine, with its controls on a strip at the top."""
    family = str(random.choice(["dishwasher", "dishwasher", "washing_machine"]))
    wide, high, deep = (
        random.uniform(0.5, 0.64),
        random.uniform(0.8, 0.9),
        random.uniform(0.45, 0.6),
    )
    body = finish(random, *BODIES)
    surfaces = [surface(box((0, 0, high / 2), (wide, deep, high)), body, smooth=False, bevel=0.006)]
    front, strip = -deep / 2, random.uniform(0.08, 0.13)
    centre = np.array([0, front - 0.012, high - 0.01 - strip / 2])
    knobs = int(random.choice([0, 1])) if family == "dishwasher" else 1
    panel, grips = _controls(random, centre, wide * 0.97, strip, body, knobs)
    surfaces += panel
    if family == "dishwasher":
        tall = high - strip - 0.12
        leaf = box((0, front - 0.012, 0.1 + tall / 2), (wide * 0.97, 0.024, tall))
        surfaces.append(surface(leaf, body, smooth=False, bevel=0.004))
        at = (0, front - 0.0235, 0.1 + tall * 0.93)
        bar, held = _bar(
            random, at, wide * random.uniform(0.25, 0.42), False, finish(random, *METALS[:5])
        )
    else:
        door, bar, held = _round_door(random, front, high * 0.48, random.uniform(0.15, 0.2))
        surfaces += door
    return _appliance("washer", family, [*surfaces, bar], [held], grips)


def _leaves(
    random: Generator, family: str, wide: float
) -> list[tuple[float, float, float, float, float]]:
    """Doors of a fridge: x of the middle, width, lower and upper edge as shares of the height.

    The last number is the side of the bar: -1 left, 1 right, 0 along the upper edge.
    """
    split, side, half = float(random.uniform(0.3, 0.42)), float(random.choice([-1, 1])), wide / 2
    low = 0.03
    leaves: dict[str, list[tuple[float, float, float, float, float]]] = {
        "top_freezer": [(0, wide, low, 1 - split, side), (0, wide, 1 - split, 1, side)],
        "bottom_freezer": [(0, wide, split, 1, side), (0, wide, low, split, 0)],
        "french": [
            (-half / 2, half, split, 1, 1),
            (half / 2, half, split, 1, -1),
            (0, wide, low, split, 0),
        ],
        "side_by_side": [(-half / 2, half, low, 1, 1), (half / 2, half, low, 1, -1)],
        "single": [(0, wide, low, 1, side)],
    }
    return leaves[family]


def build_fridge(random: Generator) -> ObjectModel:
    """Build a fridge with bars on its doors."""
    family = str(
        random.choice(["top_freezer", "bottom_freezer", "french", "side_by_side", "single"])
    )
    wide, high, deep = (float(random.uniform(*r)) for r in ((0.55, 0.7), (1.3, 1.85), (0.55, 0.7)))
    if family in ("french", "side_by_side"):
        wide = random.uniform(0.8, 0.95)
    if family == "single":
        high = random.uniform(0.8, 1.7)
    body = finish(random, *BODIES)
    metal = body if random.random() < 0.3 else finish(random, *METALS[:5], "dark_plastic")
    front = -deep / 2
    surfaces = [surface(box((0, 0, high / 2), (wide, deep, high)), body, smooth=False, bevel=0.008)]
    grips = []
    for x, across, low, top, side in _leaves(random, family, wide):
        z, tall = (low + top) / 2 * high, (top - low) * high
        leaf = box((x, front - 0.03, z), (across - 0.008, 0.06, tall - 0.01))
        surfaces.append(surface(leaf, body, smooth=False, bevel=0.012))
        upright = side != 0
        if upright:
            length = min(tall * float(random.uniform(0.15, 0.4)), 0.4)
            near = top > 0.95 and low > 0.2 and random.random() < 0.6
            level = low * high + length + 0.06 if near else z
            at = (x + side * (across / 2 - 0.05), front - 0.0595, level)
        else:
            length = across * float(random.uniform(0.25, 0.42))
            at = (x, front - 0.0595, high * top - 0.07)
        bar, held = _bar(random, at, length, upright, metal)
        surfaces.append(bar)
        grips.append(held)
    for _ in range(int(random.choice([0, 0, 2, 5]))):
        note = box(
            (random.uniform(-0.3, 0.1) * wide, front - 0.061, random.uniform(0.45, 0.9) * high),
            (random.uniform(0.04, 0.12), 0.002, random.uniform(0.04, 0.14)),
        )
        surfaces.append(surface(note, finish(random, "label", "paint", "porcelain"), smooth=False))
    return assemble(
        "fridge",
        family,
        surfaces,
        {"handle": 1},
        {"open": ("handle",)},
        {"open": grips},
        support="floor",
    )


def build_kitchen_unit(random: Generator) -> ObjectModel:
    """Build a row of base units under a worktop, each opened by a bar."""
    count, wide = int(random.integers(1, 4)), random.uniform(0.38, 0.6)
    high, deep = random.uniform(0.8, 0.92), random.uniform(0.5, 0.62)
    fronts = finish(random, "wood", "wood", "paint", "enamel", "enamel")
    whole, front = count * wide, -deep / 2
    top = box((0, -0.01, high - 0.02), (whole + 0.02, deep + 0.04, 0.04))
    surfaces = [
        surface(box((0, 0, high / 2 - 0.02), (whole, deep, high - 0.04)), fronts, smooth=False),
        surface(
            top,
            finish(random, "wood", "ceramic", "porcelain", "tiles", "dark_plastic"),
            smooth=False,
            bevel=0.004,
        ),
    ]
    metal, style = finish(random, *METALS), str(random.choice([*BARS, "bar", "strip", "knob"]))
    size = float(random.uniform(1.0, 1.8))
    grips = []
    share = random.uniform(0.3, 0.8)
    for k in range(count):
        x = (k - (count - 1) / 2) * wide
        rows = int(random.choice([1, 1, 2, 3, 4]))
        edges = np.linspace(0.1, high - 0.05, rows + 1)
        if rows == 2:
            edges[1] = high - 0.2
        side = float(random.choice([-1, 1]))
        for row in range(rows):
            low, upper = edges[row] + 0.004, edges[row + 1] - 0.004
            z, tall = (low + upper) / 2, upper - low
            leaf = box((x, front - 0.01, z), (wide - 0.008, 0.02, tall))
            surfaces.append(surface(leaf, fronts, smooth=False, bevel=0.003))
            face, door = front - 0.0195, tall > 0.35
            if tall > 0.3 and random.random() < 0.4:
                inner = box((x, front - 0.022, z), (wide * 0.66, 0.008, tall - 0.16))
                surfaces.append(surface(inner, fronts, smooth=False, bevel=0.004))
            at = (x + side * (wide / 2 - 0.05), face, upper - tall * 0.25) if door else (x, face, z)
            length = min(tall * 0.15, 0.12) if door else wide * share * 0.5 * 0.8
            made = pull(random, style, length, door and style != "knob", size)
            mounted, held = fastened(made, np.array(at), metal, door)
            surfaces.append(mounted)
            grips.append(held)
    return assemble(
        "kitchen_unit",
        style,
        surfaces,
        {"handle": 1},
        {"open": ("handle",)},
        {"open": grips},
        support="floor",
    )
