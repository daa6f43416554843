"""Things that open, and things to sit on: drawer, door, cupboard, microwave, chair, stool."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from tools.render_affordances.geometry import (
    Mesh,
    box,
    extrude,
    facing_front,
    loft,
    merge,
    moved,
    revolve,
    rounded_rectangle,
    sweep,
)
from tools.render_affordances.model import Array, Grip, ObjectModel, Surface
from tools.render_affordances.shapes.assembly import assemble, finish, grip, surface
from tools.render_affordances.shapes.tools import straight_rod

METALS = ("steel", "brushed_metal", "brass", "dark_metal", "painted_metal", "plastic", "wood")
PULLS = ("bow", "bar", "knob", "strip", "ring")


def pull(random: Generator, style: str, length: float, upright: bool) -> tuple[Mesh, float, float]:
    """Make a pull that stands out from a front at y = 0 towards -y, about the origin.

    Args:
        random: chooses its sizes.
        style: one of `PULLS`.
        length: half its extent along the front.
        upright: along z instead of along x.

    Returns:
        The mesh, how far out its grip is, and the width of the bar.
    """
    out, radius = random.uniform(0.022, 0.035), random.uniform(0.0038, 0.0065)
    s = np.linspace(-1, 1, 26)
    if style == "knob":
        wide = random.uniform(0.011, 0.018)
        line = [(0, 0), (wide * 0.45, 0), (wide * 0.4, out * 0.4), (wide * 0.95, out * 0.6)]
        line += [(wide, out * 0.8), (wide * 0.6, out), (0, out * 1.03)]
        return facing_front(revolve(line, 28)), out * 0.75, 2 * wide
    if style == "ring":
        angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        size = length * 0.45
        ring = np.column_stack(
            [size * np.cos(angle), -0.012 + 0 * angle, size * np.sin(angle) - size]
        )
        return sweep(ring, radius * 0.8, 10, closed=True), 0.012, 2 * radius
    if style == "bow":
        path = np.column_stack([s * length, -out * (1 - s**6), 0 * s])
        bar: Mesh = sweep(path, radius, 14, up=(0, 0, 1))
    else:
        thick = (radius, radius) if style == "bar" else (radius * 0.6, radius * 1.8)
        power = 1.0 if style == "bar" else 0.3
        rod = sweep(
            np.column_stack([s * length, -out + 0 * s, 0 * s]),
            thick,
            14,
            up=(0, 1, 0) if style == "strip" else (0, 0, 1),
            power=power,
        )
        posts = [
            straight_rod(np.array([x, 0.004, 0]), np.array([x, -out, 0]), radius * 0.8)
            for x in (-length * 0.8, length * 0.8)
        ]
        bar = merge(rod, *posts)
    if upright:
        bar = (bar[0][:, [2, 1, 0]] * [-1, 1, 1], bar[1])
    return bar, out, 2 * radius


def hooked(point: Array, upright: bool, width: float) -> Grip:
    """Hook the fingers behind a bar and pull towards the viewer."""
    return grip("hook", point, (0, -1, 0), (0, 0, 1) if upright else (1, 0, 0), width)


def _front(random: Generator, centre: Array, size: tuple[float, float]) -> list[Mesh]:
    """A door leaf or a drawer front, plain or panelled, standing 20 mm out of y = centre."""
    wide, high = size
    leaf = box(centre + [0, -0.009, 0], (wide, 0.018, high))
    style = random.random()
    if style < 0.4:
        return [leaf]
    inset = min(wide, high) * random.uniform(0.1, 0.2)
    rails = [
        box(centre + [0, -0.021, z * (high - inset) / 2], (wide, 0.008, inset)) for z in (-1, 1)
    ]
    rails += [
        box(centre + [x * (wide - inset) / 2, -0.021, 0], (inset, 0.008, high)) for x in (-1, 1)
    ]
    if style < 0.75:
        return [leaf, *rails]
    return [leaf, box(centre + [0, -0.021, 0], (wide - 2 * inset, 0.007, high - 2 * inset))]


def _pull_style(random: Generator) -> str:
    return str(random.choice(PULLS, p=[0.26, 0.26, 0.24, 0.16, 0.08]))


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
    style = _pull_style(random)
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
        mesh, out, width = pull(random, style, wide * random.uniform(0.1, 0.22), False)
        at = np.array([x, face, z + high * random.choice([0.0, 0.0, 0.15])])
        surfaces.append(surface(moved(mesh, at), metal, 1))
        grips.append(hooked(at + [0, -out, 0], False, width))
    return assemble(
        "drawer",
        style,
        surfaces,
        {"pull": 1},
        {"open": ("pull",)},
        {"open": grips},
        support="floor",
    )


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
    style = _pull_style(random)
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
            mesh, out, width = pull(random, style, length, upright)
            at = np.array(
                [
                    x + side * (wide / 2 - 0.045),
                    -deep / 2 - 0.018,
                    z + tall * random.uniform(-0.15, 0.15),
                ]
            )
            if len(front) > 2:
                at[1] -= 0.007
            surfaces.append(surface(moved(mesh, at), metal, 1))
            grips.append(hooked(at + [0, -out, 0], upright, width))
    return assemble(
        "cupboard",
        family,
        surfaces,
        {"pull": 1},
        {"open": ("pull",)},
        {"open": grips},
        support="floor",
    )


def _door_handle(random: Generator, family: str) -> tuple[list[Mesh], Grip]:
    """A door's handle about the origin, on a front at y = 0, and how it is held."""
    rose = facing_front(
        revolve([(0, 0), (0.026, 0), (0.026, 0.006), (0.011, 0.01), (0.01, 0.045), (0, 0.045)], 32)
    )
    if family == "knob":
        line = [
            (0, 0.035),
            (0.012, 0.035),
            (0.027, 0.05),
            (0.029, 0.062),
            (0.02, 0.074),
            (0, 0.076),
        ]
        return [rose, facing_front(revolve(line, 36))], grip(
            "twist", (0, -0.06, 0), (0, -1, 0), (0, 0, 1), 0.056
        )
    if family == "bar":
        length = random.uniform(0.1, 0.25)
        mesh, out, width = pull(random, str(random.choice(["bow", "bar", "strip"])), length, True)
        return [mesh], hooked(np.array([0, -out, 0]), True, width)
    s = np.linspace(0, 1, 22)
    length = random.uniform(0.095, 0.13)
    droop = random.uniform(-0.012, 0.012) * np.sin(np.pi * s * random.uniform(0.6, 1.4))
    path = np.column_stack([0.008 - length * s, -0.05 + 0 * s, droop])
    thick = np.column_stack([0.009 - 0.002 * s, 0.0085 - 0.002 * s])
    lever = sweep(path, thick, 16, up=(0, 0, 1), power=float(random.uniform(0.5, 1)))
    held = grip("power", path[12], (0, -1, 0), (-1, 0, 0), 0.017)
    if random.random() < 0.4:
        plate = moved(extrude(rounded_rectangle(0.05, 0.22, 0.02), 0.005), (0, 0, 0))
        rose = merge(rose, moved(facing_front(plate), (0, 0, -0.04)))
    return [rose, lever], held


def build_door(random: Generator) -> ObjectModel:
    """Build a door, or the part of one around its handle."""
    family = str(random.choice(["lever", "lever", "knob", "bar"]))
    wide, high = random.uniform(0.45, 0.8), random.uniform(0.7, 1.1)
    wood = finish(random, "wood", "wood", "paint", "paint", "painted_metal")
    surfaces = [surface(box((0, 0, high / 2), (wide, 0.04, high)), wood, smooth=False, bevel=0.003)]
    style = random.random()
    for z in (0.27, 0.74) if style < 0.6 else ():
        panel = box((-wide * 0.04, -0.022, high * z), (wide * 0.6, 0.01, high * 0.36))
        surfaces.append(surface(panel, wood, smooth=False, bevel=0.004))
    if style > 0.85:
        pane = box((-wide * 0.04, -0.021, high * 0.6), (wide * 0.5, 0.004, high * 0.6))
        surfaces.append(surface(pane, finish(random, "screen", "glass", "porcelain"), smooth=False))
    meshes, held = _door_handle(random, family)
    at = np.array([wide / 2 - 0.055, -0.0195, high * random.uniform(0.42, 0.55)])
    metal = finish(random, "steel", "brushed_metal", "brass", "dark_metal", "painted_metal")
    surfaces += [surface(moved(mesh, at), metal, 1) for mesh in meshes[-1:]]
    surfaces += [surface(moved(mesh, at), metal) for mesh in meshes[:-1]]
    if random.random() < 0.5:
        key = facing_front(revolve([(0, 0), (0.011, 0), (0.011, 0.006), (0, 0.006)], 24))
        surfaces.append(surface(moved(key, at + [0, 0, -0.075]), metal))
    flip = random.choice([-1.0, 1.0])
    held = Grip(
        held.grasp,
        (held.point + at) * [flip, 1, 1],
        held.normal,
        held.axis * [flip, 1, 1],
        held.width,
    )
    surfaces = [_mirrored(one, flip) for one in surfaces]
    return assemble(
        "door",
        family,
        surfaces,
        {"handle": 1},
        {"open": ("handle",)},
        {"open": [held]},
        support="wall",
    )


def _mirrored(one: Surface, flip: float) -> Surface:
    faces = one.faces if flip > 0 else tuple(face[::-1] for face in one.faces)
    return Surface(one.vertices * [flip, 1, 1], faces, one.part, one.finish, one.smooth, one.bevel)


def build_microwave(random: Generator) -> ObjectModel:
    """Build a microwave or an oven: a door with a handle, knobs and buttons beside it."""
    wide, high, deep = random.uniform(0.4, 0.52), random.uniform(0.22, 0.32), 0.32
    body = finish(random, "painted_metal", "porcelain", "steel", "dark_plastic", "brushed_metal")
    panel = random.uniform(0.2, 0.28) * wide
    surfaces = [surface(box((0, 0, high / 2), (wide, deep, high)), body, smooth=False, bevel=0.005)]
    y = -deep / 2
    door_x, door_wide = -panel / 2, wide - panel - 0.02
    surfaces.append(
        surface(
            box((door_x, y - 0.008, high / 2), (door_wide, 0.016, high - 0.02)),
            finish(random, "dark_plastic", "steel", "porcelain"),
            smooth=False,
            bevel=0.003,
        )
    )
    surfaces.append(
        surface(
            box((door_x - 0.02, y - 0.017, high / 2), (door_wide * 0.7, 0.002, high * 0.6)),
            finish(random, "screen"),
            smooth=False,
        )
    )
    style = str(random.choice(["bow", "bar", "strip"]))
    mesh, out, width = pull(random, style, high * random.uniform(0.28, 0.38), True)
    at = np.array([door_x + door_wide / 2 - 0.025, y - 0.016, high / 2])
    surfaces.append(
        surface(moved(mesh, at), finish(random, "steel", "dark_plastic", "brushed_metal"), 1)
    )
    x = wide / 2 - panel / 2
    key, knobs, buttons = finish(random, "plastic", "porcelain", "dark_plastic"), [], []
    affords = {"open": ("handle",)}
    parts = {"handle": 1}
    grips = {"open": [hooked(at + [0, -out, 0], True, width)]}
    surfaces.append(
        surface(
            box((x, y - 0.001, high * 0.82), (panel * 0.7, 0.003, high * 0.13)),
            finish(random, "screen"),
            smooth=False,
        )
    )
    if random.random() < 0.5:
        affords["turn"], parts["knobs"] = ("knobs",), 2
        for z in (0.3, 0.57):
            radius = panel * random.uniform(0.22, 0.28)
            knobs.append(
                moved(
                    facing_front(
                        revolve([(0, 0), (radius, 0), (radius * 0.9, 0.02), (0, 0.022)], 28)
                    ),
                    (x, y, high * z),
                )
            )
            grips.setdefault("turn", []).append(
                grip("twist", (x, y - 0.012, high * z), (0, -1, 0), (0, 0, 1), 2 * radius)
            )
        surfaces += [surface(mesh, key, 2) for mesh in knobs]
    else:
        affords["press"], parts["buttons"] = ("buttons",), 2
        for z in np.linspace(0.15, 0.65, 4):
            for dx in (-0.25, 0.05, 0.35):
                centre = np.array([x + (dx - 0.05) * panel, y - 0.002, high * z])
                buttons.append(box(centre, (panel * 0.22, 0.006, high * 0.09)))
                grips.setdefault("press", []).append(
                    grip("push", centre - [0, 0.003, 0], (0, -1, 0), (0, 0, 1), panel * 0.2)
                )
        surfaces += [surface(mesh, key, 2, smooth=False, bevel=0.001) for mesh in buttons]
    return assemble("microwave", style, surfaces, parts, affords, grips, support="table")


def _legs(random: Generator, half: float, high: float, radius: float) -> list[Mesh]:
    splay = random.uniform(0, 0.12) * high
    legs = []
    for x in (-1, 1):
        for y in (-1, 1):
            top = np.array([x * half * 0.85, y * half * 0.85, high])
            foot = np.array([x * (half * 0.85 + splay), y * (half * 0.85 + splay), 0])
            legs.append(sweep(np.linspace(foot, top, 6), np.linspace(radius * 0.75, radius, 6), 12))
    return legs


def build_chair(random: Generator) -> ObjectModel:
    """Build a chair with a back, or an arm chair."""
    family = str(random.choice(["slatted", "solid", "cushioned", "arm"]))
    half, high = random.uniform(0.19, 0.25), random.uniform(0.4, 0.48)
    back = random.uniform(0.38, 0.55)
    frame = finish(random, "wood", "wood", "painted_metal", "steel", "plastic", "dark_metal")
    seat_material = (
        frame if family == "slatted" else finish(random, "cloth", "plastic", "paint", "wood")
    )
    thick = random.uniform(0.02, 0.04) if family != "cushioned" else random.uniform(0.06, 0.1)
    outline = rounded_rectangle(2 * half, 2 * half, random.uniform(0.02, half * 0.8))
    seat = loft(
        [outline * 0.96, outline, outline, outline * 0.95],
        [high, high + thick * 0.2, high + thick * 0.8, high + thick],
    )
    lean = random.uniform(0.03, 0.12)
    radius = random.uniform(0.013, 0.022)
    posts = [
        sweep(
            np.linspace(
                (x * half * 0.85, half * 0.88, high),
                (x * half * 0.85, half * 0.88 + lean, high + back),
                6,
            ),
            radius,
            12,
        )
        for x in (-1, 1)
    ]
    surfaces = [surface(seat, seat_material, 1)]
    rods = [*_legs(random, half, high, radius), *posts]
    if family in ("slatted", "arm"):
        for t in np.linspace(0.35, 0.95, int(random.integers(2, 5))):
            rods.append(
                box((0, half * 0.88 + lean * t, high + back * t), (1.75 * half, 0.015, 0.05))
            )
        if family == "arm":
            for x in (-1, 1):
                rods.append(box((x * half * 0.95, 0, high + 0.2), (0.045, 1.8 * half, 0.025)))
                rods.append(
                    sweep(
                        np.linspace(
                            (x * half * 0.95, -half * 0.75, high),
                            (x * half * 0.95, -half * 0.75, high + 0.2),
                            4,
                        ),
                        radius,
                        10,
                    )
                )
    else:
        rest = box(
            (0, half * 0.88 + lean * 0.65, high + back * 0.62), (1.8 * half, 0.03, back * 0.65)
        )
        surfaces.append(surface(rest, seat_material, smooth=False, bevel=0.012))
    surfaces.append(surface(merge(*rods), frame))
    return _seat("chair", family, surfaces, high + thick)


def _seat(name: str, family: str, surfaces: list[Surface], high: float) -> ObjectModel:
    held = grip("palm", (0, 0, high), (0, 0, 1), (0, 1, 0), 0.3)
    return assemble(
        name,
        family,
        surfaces,
        {"seat": 1},
        {"sit_on": ("seat",)},
        {"sit_on": [held]},
        support="floor",
    )


def build_stool(random: Generator) -> ObjectModel:
    """Build a stool or a bench."""
    family = str(random.choice(["round", "square", "bench", "pedestal"]))
    half, high = random.uniform(0.15, 0.21), random.uniform(0.4, 0.72)
    thick = random.uniform(0.025, 0.07)
    frame = finish(random, "wood", "painted_metal", "steel", "dark_metal")
    top = finish(random, "wood", "cloth", "plastic", "paint")
    if family in ("round", "pedestal"):
        seat = revolve(
            [
                (0, high),
                (half * 0.95, high),
                (half, high + thick * 0.4),
                (half * 0.94, high + thick),
                (0, high + thick),
            ],
            40,
        )
    else:
        long = 2 * half * (random.uniform(2, 3) if family == "bench" else 1)
        outline = rounded_rectangle(long, 2 * half, 0.03)
        seat = loft([outline, outline, outline * 0.98], [high, high + thick * 0.8, high + thick])
    if family == "pedestal":
        legs = [
            revolve(
                [
                    (0, 0),
                    (half * 1.05, 0),
                    (half * 1.0, 0.015),
                    (0.03, 0.03),
                    (0.028, high + 0.002),
                    (0, high + 0.002),
                ],
                32,
            )
        ]
    else:
        legs = _legs(random, half * 0.9, high + 0.004, random.uniform(0.014, 0.02))
        if family == "bench":
            legs = [(points * [2.1, 1, 1], faces) for points, faces in legs]
    surfaces = [surface(seat, top, 1), surface(merge(*legs), frame)]
    return _seat("stool", family, surfaces, high + thick)
