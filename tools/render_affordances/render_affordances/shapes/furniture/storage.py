"""Things that open: drawer, cupboard, microwave, bin."""

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
    sweep,
)
from render_affordances.meshes.model import Array, Grip, ObjectModel, Surface
from render_affordances.shapes.parts.assembly import assemble, finish, grip, surface
from render_affordances.shapes.parts.pulls import METALS, fastened, pull, pull_style


def _front(random: Generator, centre: Array, size: tuple[float, float]) -> list[Mesh]:
    """A door leaf or a drawer front, plain or panelled, standing 20 mm out of y = centre."""
    wide, high = size
    leaf = box(centre + np.array([0, -0.009, 0]), (wide, 0.018, high))
    style = random.random()
    if style < 0.4:
        return [leaf]
    inset = min(wide, high) * random.uniform(0.1, 0.2)
    rails = [
        box(centre + np.array([0, -0.021, z * (high - inset) / 2]), (wide, 0.008, inset))
        for z in (-1, 1)
    ]
    rails += [
        box(centre + np.array([x * (wide - inset) / 2, -0.021, 0]), (inset, 0.008, high))
        for x in (-1, 1)
    ]
    if style < 0.75:
        return [leaf, *rails]
    return [
        leaf,
        box(centre + np.array([0, -0.021, 0]), (wide - 2 * inset, 0.007, high - 2 * inset)),
    ]


def _opened_by_pulls(
    name: str, family: str, surfaces: list[Surface], grips: list[Grip]
) -> ObjectModel:
    """Put together what stands on the floor and is opened by its pulls, part 1."""
    return assemble(
        name,
        family,
        surfaces,
        {"pull": 1},
        {"open": ("pull",)},
        {"open": grips},
        support="floor",
    )


def build_drawer(random: Generator) -> ObjectModel:
    """Build a chest or a row of drawers."""
    rows, columns = int(random.integers(1, 5)), int(random.choice([1, 1, 1, 2]))
    wide, high = random.uniform(0.28, 0.5), random.uniform(0.1, 0.2)
    deep = random.uniform(0.25, 0.4)
    whole = (columns * wide + 0.03, rows * high + 0.03)
    wood = finish(random, "wood", "wood", "paint", "paint", "painted_metal")
    fronts = wood if random.random() < 0.6 else finish(random, "wood", "paint")
    metal = finish(random, *METALS)
    carcass = box((0, 0, whole[1] / 2), (whole[0], deep, whole[1]))
    surfaces = [surface(carcass, wood, smooth=False, bevel=0.003)]
    style = pull_style(random)
    opened = int(random.integers(rows * columns)) if random.random() < 0.25 else -1
    grips = []
    for k in range(rows * columns):
        row, column = divmod(k, columns)
        x = (column - (columns - 1) / 2) * wide
        z = 0.015 + high * (row + 0.5)
        y = -deep / 2 - (random.uniform(0.04, 0.15) if k == opened else 0.0)
        centre = np.array([x, y, z])
        front = _front(random, centre, (wide - 0.012, high - 0.012))
        surfaces += [surface(mesh, fronts, smooth=False, bevel=0.002) for mesh in front]
        if k == opened:
            bottom = box(
                (x, (y - deep / 2) / 2 - 0.002, z - high * 0.2),
                (wide * 0.92, -y - deep / 2, high * 0.5),
            )
            surfaces.append(surface(bottom, fronts, smooth=False))
        face = float(min(mesh[0][:, 1].min() for mesh in front[:1])) - 0.001
        made = pull(random, style, wide * random.uniform(0.1, 0.22), False)
        at = np.array([x, face, z + high * random.choice([0.0, 0.0, 0.15])])
        mounted, held = fastened(made, at, metal, False)
        surfaces.append(mounted)
        grips.append(held)
    return _opened_by_pulls("drawer", style, surfaces, grips)


def build_cupboard(random: Generator) -> ObjectModel:
    """Build a cupboard, a wardrobe or a fridge."""
    family = str(random.choice(["single", "double", "fridge", "wall"]))
    wide, high = random.uniform(0.3, 0.5), random.uniform(0.4, 0.8)
    deep = random.uniform(0.25, 0.4)
    doors = 2 if family == "double" else 1
    body = finish(random, "wood", "paint", "paint")
    if family == "fridge":
        body = finish(random, "painted_metal", "porcelain", "brushed_metal", "steel")
        wide, high = random.uniform(0.5, 0.6), random.uniform(1.0, 1.5)
    surfaces = [
        surface(box((0, 0, high / 2), (doors * wide, deep, high)), body, smooth=False, bevel=0.004)
    ]
    leaf_material = body if random.random() < 0.7 else finish(random, "wood", "paint")
    metal = finish(random, *METALS)
    style = pull_style(random)
    heights = [(0.0, 1.0)] if family != "fridge" else [(0.0, 0.62), (0.63, 1.0)]
    grips = []
    for k in range(doors):
        x = (k - (doors - 1) / 2) * wide
        side = random.choice([-1, 1]) if doors == 1 else (1 if k == 0 else -1)
        for low, top in heights:
            z, tall = (low + top) / 2 * high, (top - low) * high
            front = _front(random, np.array([x, -deep / 2, z]), (wide - 0.006, tall - 0.01))
            front = front if family != "fridge" else front[:1]
            surfaces += [surface(m, leaf_material, smooth=False, bevel=0.003) for m in front]
            upright = style not in ("knob", "ring") and random.random() < 0.85
            length = min(tall * random.uniform(0.08, 0.25), 0.16)
            made = pull(random, style, length, upright)
            at = np.array(
                [
                    x + side * (wide / 2 - 0.045),
                    -deep / 2 - 0.018,
                    z + tall * random.uniform(-0.15, 0.15),
                ]
            )
            if len(front) > 2:
                at[1] -= 0.007
            mounted, held = fastened(made, at, metal, upright)
            surfaces.append(mounted)
            grips.append(held)
    return _opened_by_pulls("cupboard", family, surfaces, grips)


def _oven_knobs(
    random: Generator, centre: Array, panel: float, high: float
) -> tuple[list[Mesh], list[Grip]]:
    """Two knobs one above the other on a panel whose middle, at the bottom, is `centre`."""
    meshes, grips = [], []
    for share in (0.3, 0.57):
        radius = panel * random.uniform(0.22, 0.28)
        at = centre + np.array([0, 0, high * share])
        line = [(0, 0), (radius, 0), (radius * 0.9, 0.02), (0, 0.022)]
        meshes.append(moved(facing_front(revolve(line, 28)), at))
        point = at - np.array([0, 0.012, 0])
        grips.append(grip("twist", point, (0, -1, 0), (0, 0, 1), 2 * radius))
    return meshes, grips


def _oven_buttons(centre: Array, panel: float, high: float) -> tuple[list[Mesh], list[Grip]]:
    """A field of three by four buttons, placed like the knobs."""
    meshes, grips = [], []
    for share in np.linspace(0.15, 0.65, 4):
        for across in (-0.3, 0.0, 0.3):
            at = centre + np.array([across * panel, -0.002, high * share])
            meshes.append(box(at, (panel * 0.22, 0.006, high * 0.09)))
            front = at - np.array([0, 0.003, 0])
            grips.append(grip("push", front, (0, -1, 0), (0, 0, 1), panel * 0.2))
    return meshes, grips


def _oven_door(random: Generator, centre: Array, wide: float, high: float) -> list[Surface]:
    """A door with a window, standing out of a front whose middle is `centre`."""
    leaf = box(centre - np.array([0, 0.008, 0]), (wide, 0.016, high - 0.02))
    window = box(centre - np.array([0.02, 0.017, 0]), (wide * 0.7, 0.002, high * 0.6))
    material = finish(random, "dark_plastic", "steel", "porcelain")
    return [
        surface(leaf, material, smooth=False, bevel=0.003),
        surface(window, finish(random, "screen"), smooth=False),
    ]


def build_microwave(random: Generator) -> ObjectModel:
    """Build a microwave or an oven: a door with a handle, knobs or buttons beside it."""
    wide, high, deep = random.uniform(0.4, 0.52), random.uniform(0.22, 0.32), 0.32
    panel, y = random.uniform(0.2, 0.28) * wide, -deep / 2
    body = finish(random, "painted_metal", "porcelain", "steel", "dark_plastic", "brushed_metal")
    door, door_wide = np.array([-panel / 2, y, high / 2]), wide - panel - 0.02
    style = str(random.choice(["bow", "bar", "strip"]))
    made = pull(random, style, high * random.uniform(0.28, 0.38), True)
    at = door + np.array([door_wide / 2 - 0.025, -0.016, 0])
    side = np.array([wide / 2 - panel / 2, y, 0])
    display = box(side + np.array([0, -0.001, high * 0.82]), (panel * 0.7, 0.003, high * 0.13))
    metal = finish(random, "steel", "dark_plastic", "brushed_metal")
    handle, held = fastened(made, at, metal, True)
    surfaces = [
        surface(box((0, 0, high / 2), (wide, deep, high)), body, smooth=False, bevel=0.005),
        *_oven_door(random, door, door_wide, high),
        handle,
        surface(display, finish(random, "screen"), smooth=False),
    ]
    key = finish(random, "plastic", "porcelain", "dark_plastic")
    turning = random.random() < 0.5
    if turning:
        meshes, grips = _oven_knobs(random, side, panel, high)
    else:
        meshes, grips = _oven_buttons(side, panel, high)
    bevel = 0.0 if turning else 0.001
    surfaces += [surface(one, key, 2, smooth=turning, bevel=bevel) for one in meshes]
    action, name = ("turn", "knobs") if turning else ("press", "buttons")
    return assemble(
        "microwave",
        style,
        surfaces,
        {"handle": 1, name: 2},
        {"open": ("handle",), action: (name,)},
        {"open": [held], action: grips},
        support="table",
    )


def build_bin(random: Generator) -> ObjectModel:
    """Build a bin: with a pedal, or with a lid that is lifted by its grip."""
    family = str(random.choice(["pedal", "pedal", "lid", "wheeled"]))
    radius, high = random.uniform(0.11, 0.17), random.uniform(0.26, 0.62)
    body = finish(random, "steel", "brushed_metal", "enamel", "plastic", "dark_plastic")
    cover = body if random.random() < 0.5 else finish(random, "dark_plastic", "steel", "plastic")
    top = high + random.uniform(0.012, 0.05)
    line = [(0, 0), (radius * random.uniform(0.8, 1.0), 0), (radius, high), (0, high)]
    cap = [(0, high + 0.002), (radius * 1.02, high + 0.002), (radius, high + 0.012), (0, top)]
    shell, lid = revolve(line, 40), revolve(cap, 40)
    if family == "wheeled":
        wide = radius * 1.5
        outline = rounded_rectangle(2 * wide, 2.1 * wide, 0.04)
        high, top = high + 0.35, high + 0.4
        shell = loft([outline * 0.8, outline], [0.03, high])
        lid = loft([outline * 1.04, outline * 1.04, outline * 0.9], [high, high + 0.02, top])
        radius = wide
    surfaces = [surface(shell, body)]
    parts, affords = {"lid": 1}, {"open": ("lid",)}
    front = np.array([0, -radius, high + 0.008])
    grips = {"open": [grip("hook", front, (0, -1, 0), (1, 0, 0), 0.02)]}
    if family == "pedal":
        pedal = box((0, -radius - 0.025, 0.018), (0.07, 0.07, 0.012))
        surfaces.append(surface(pedal, finish(random, "dark_plastic", "steel"), 2, smooth=False))
        parts["pedal"], affords["press"] = 2, ("pedal",)
        grips["press"] = [grip("push", (0, -radius - 0.04, 0.024), (0, 0, 1), (0, -1, 0), 0.05)]
    elif family == "lid" and random.random() < 0.6:
        path = np.column_stack([np.linspace(-0.05, 0.05, 16), np.zeros(16), np.zeros(16)])
        path[:, 2] = top - 0.006 + 0.035 * (1 - (path[:, 0] / 0.05) ** 4)
        surfaces.append(surface(sweep(path, (0.009, 0.006), 12), cover, 1))
        grips["open"] = [grip("power", path[8], (0, 0, 1), (1, 0, 0), 0.018)]
    if len(surfaces) < 2 or family == "pedal":
        surfaces.append(surface(lid, cover, 1))
    else:
        surfaces.append(surface(lid, cover))
    return assemble("bin", family, surfaces, parts, affords, grips, support="floor")
