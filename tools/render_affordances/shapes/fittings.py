"""Things to turn and to press: tap, valve, panel, switch, remote control, keyboard, dispenser."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from tools.render_affordances.geometry import (
    Mesh,
    box,
    curve,
    facing_front,
    loft,
    merge,
    moved,
    revolve,
    rounded_rectangle,
    sweep,
    turned,
)
from tools.render_affordances.model import Array, Grip, ObjectModel, Surface
from tools.render_affordances.shapes.assembly import assemble, finish, grip, surface
from tools.render_affordances.shapes.tools import straight_rod

CHROME = ("steel", "steel", "brushed_metal", "brass", "dark_metal", "painted_metal")


def _cross(radius: float, high: float) -> Mesh:
    """A cross handle about the z axis, from z = 0 to z = high."""
    arms = []
    for degrees in (0.0, 90.0):
        rod = sweep(
            np.linspace((-radius, 0, high * 0.7), (radius, 0, high * 0.7), 9),
            0.005 + 0.002 * np.abs(np.linspace(-1, 1, 9)),
            12,
            up=(0, 0, 1),
        )
        arms.append((turned(rod[0], "z", degrees), rod[1]))
    hub = revolve([(0, 0), (0.009, 0), (0.009, high), (0, high * 1.05)], 20)
    return merge(hub, *arms)


def _tap_knob(random: Generator) -> Mesh:
    radius, high = random.uniform(0.015, 0.022), random.uniform(0.02, 0.035)
    mesh = revolve(
        [
            (0, 0),
            (radius * 0.5, 0),
            (radius * 0.5, 0.008),
            (radius, 0.012),
            (radius * 0.9, high),
            (0, high * 1.05),
        ],
        40,
    )
    flute = 1 + 0.08 * np.cos(8 * np.arctan2(mesh[0][:, 1], mesh[0][:, 0]))
    return mesh[0] * np.column_stack([flute, flute, np.ones_like(flute)]), mesh[1]


def _lever(random: Generator) -> Mesh:
    length = random.uniform(0.05, 0.09)
    s = np.linspace(0, 1, 14)
    path = np.column_stack([0 * s, -length * s, 0.016 + random.uniform(0.0, 0.05) * s])
    bar = sweep(path, np.column_stack([0.006 + 0.004 * s, 0.006 - 0.002 * s]), 14, up=(1, 0, 0))
    return merge(revolve([(0, 0), (0.014, 0), (0.013, 0.018), (0, 0.02)], 24), bar)


def _top_handle(random: Generator, style: str) -> tuple[Mesh, Grip]:
    """A tap's handle standing on the origin, and how it is held."""
    if style == "lever":
        mesh = _lever(random)
        tip = mesh[0][mesh[0][:, 1].argmin()]
        return mesh, grip("pinch", (0, tip[1] * 0.6, 0.03), (0, 0, 1), (0, -1, 0), 0.016)
    mesh = _cross(random.uniform(0.026, 0.036), 0.03) if style == "cross" else _tap_knob(random)
    return mesh, grip("twist", (0, 0, 0.02), (0, 0, 1), (1, 0, 0), float(np.ptp(mesh[0][:, 0])))


def build_faucet(random: Generator) -> ObjectModel:
    """Build a tap: one lever, two handles, or a garden tap."""
    family = str(random.choice(["one_lever", "side_lever", "two_handles", "garden"]))
    high, reach = random.uniform(0.08, 0.24), random.uniform(0.09, 0.16)
    radius = random.uniform(0.009, 0.014)
    top = min(high, 0.5 * reach + high * 0.6)
    neck = curve(
        [
            (0, 0, 0),
            (0, 0, high * 0.75),
            (0, -reach * 0.35, top + high * 0.25),
            (0, -reach * 0.85, top),
            (0, -reach, top - random.uniform(0.02, 0.05)),
        ],
        40,
    )
    if random.random() < 0.35:
        neck = curve(
            [
                (0, 0, 0),
                (0, 0, high * 0.6),
                (0, -reach * 0.2, high * 0.68),
                (0, -reach, high * 0.72),
                (0, -reach * 1.03, high * 0.64),
            ],
            40,
        )
    spout = sweep(neck, radius, 20, up=(1, 0, 0))
    base = revolve(
        [(0, 0), (0.028, 0), (0.027, 0.012), (0.017, 0.02), (0.016, 0.03), (0, 0.03)], 32
    )
    metal = finish(random, *CHROME)
    style = str(random.choice(["lever", "cross", "knob"]))
    pieces, handles, grips = [spout, base], [], []

    def add(at: Array, degrees: float = 0.0, tilt: float = 0.0) -> None:
        mesh, held = _top_handle(random, style)
        pair = _turned_handle(mesh, held, tilt, degrees, at)
        handles.append(pair[0])
        grips.append(pair[1])

    if family == "two_handles":
        gap = random.uniform(0.06, 0.1)
        pieces.append(box((0, 0, 0.006), (2 * gap + 0.03, 0.045, 0.014)))
        for side in (-1, 1):
            foot = revolve([(0, 0), (0.024, 0), (0.016, 0.012), (0.013, 0.035), (0, 0.035)], 28)
            pieces.append(moved(foot, (side * gap, 0, 0)))
            add(np.array([side * gap, 0, 0.035]), float(random.uniform(-25, 25) + side * 35))
    elif family == "side_lever":
        side = random.choice([-1, 1])
        at = np.array([side * (radius + 0.012), 0, high * 0.3])
        pieces.append(sweep(np.linspace((0, 0, high * 0.3), at, 4), 0.012, 16, up=(0, 1, 0)))
        add(at, 0.0, 90.0 * float(side))
    elif family == "one_lever":
        style = "lever"
        short = curve(
            [(0, 0, high * 0.35), (0, -reach * 0.5, high * 0.5), (0, -reach, high * 0.45)], 20
        )
        pieces = [
            sweep(short, (radius * 1.2, radius), 18, up=(1, 0, 0)),
            revolve([(0, 0), (0.027, 0), (0.024, high * 0.5), (0, high * 0.52)], 32),
        ]
        add(np.array([0, 0, high * 0.51]), float(random.uniform(-20, 20)))
    else:
        back = sweep(np.linspace((0, 0.06, 0.05), (0, -0.02, 0.05), 6), 0.012, 16, up=(0, 0, 1))
        down = sweep(
            curve([(0, -0.015, 0.05), (0, -0.045, 0.045), (0, -0.055, 0.0)], 14),
            0.01,
            16,
            up=(1, 0, 0),
        )
        post = moved(revolve([(0, 0), (0.008, 0), (0.008, 0.03), (0, 0.03)], 20), (0, 0, 0.055))
        pieces = [back, down, post]
        add(np.array([0, 0, 0.08]), float(random.uniform(-60, 60)))
    other = (
        metal if random.random() < 0.75 else finish(random, "plastic", "painted_metal", "porcelain")
    )
    surfaces = [surface(mesh, metal) for mesh in pieces]
    surfaces += [surface(mesh, other, 1) for mesh in handles]
    support = "wall" if family == "garden" else "table"
    return assemble(
        "faucet",
        f"{family}_{style}",
        surfaces,
        {"handle": 1},
        {"turn": ("handle",)},
        {"turn": grips},
        support=support,
    )


def _turned_handle(
    mesh: Mesh, held: Grip, tilt: float, degrees: float, at: Array
) -> tuple[Mesh, Grip]:
    """Turn a handle about z, tilt it about y, and put it in its place."""

    def place(points: Array) -> Array:
        return turned(turned(points, "z", degrees), "y", tilt)

    point, normal, axis = (place(v[None])[0] for v in (held.point, held.normal, held.axis))
    return moved((place(mesh[0]), mesh[1]), at), grip(
        held.grasp, point + at, normal, axis, held.width
    )


def build_valve(random: Generator) -> ObjectModel:
    """Build a valve on a pipe: a hand wheel, a cross or a ball valve's lever."""
    family = str(random.choice(["wheel", "wheel", "lever", "cross"]))
    pipe = random.uniform(0.014, 0.026)
    long = random.uniform(0.14, 0.3)
    tube = sweep(np.linspace((-long, 0, 0), (long, 0, 0), 8), pipe, 24, up=(0, 0, 1))
    flanges = [
        sweep(
            np.linspace((x, 0, 0), (x + 0.012, 0, 0), 3),
            pipe * 1.45,
            6 if random.random() < 0.5 else 24,
            up=(0, 0, 1),
        )
        for x in (-0.055, 0.043)
    ]
    stem = facing_front(
        revolve(
            [
                (0, 0),
                (pipe * 0.8, 0),
                (pipe * 0.7, pipe + 0.02),
                (0.007, pipe + 0.025),
                (0.006, pipe + 0.06),
                (0, pipe + 0.06),
            ],
            24,
        )
    )
    out = pipe + 0.05
    if family == "wheel":
        radius = random.uniform(0.035, 0.07)
        angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        rim = sweep(
            np.column_stack([radius * np.cos(angle), 0 * angle, radius * np.sin(angle)]),
            random.uniform(0.005, 0.009),
            12,
            closed=True,
            up=(0, 1, 0),
        )
        spokes = [rim]
        for degrees in np.linspace(0, 360, int(random.integers(3, 6)), endpoint=False):
            rod = sweep(np.linspace((0, 0, 0), (radius, 0, 0), 4), 0.005, 10, up=(0, 1, 0))
            spokes.append((turned(rod[0], "y", float(degrees)), rod[1]))
        handle = moved(merge(*spokes), (0, -out, 0))
        held = grip("twist", (0, -out, 0), (0, -1, 0), (0, 0, 1), 2 * radius)
    elif family == "cross":
        handle = moved(facing_front(_cross(random.uniform(0.035, 0.05), 0.03)), (0, -out + 0.01, 0))
        held = grip("twist", (0, -out - 0.01, 0), (0, -1, 0), (0, 0, 1), 0.08)
    else:
        length = random.uniform(0.08, 0.14)
        bar = sweep(
            curve([(0, -out, 0), (length * 0.3, -out - 0.012, 0), (length, -out - 0.012, 0)], 14),
            (0.003, 0.009),
            14,
            up=(0, 1, 0),
            power=0.5,
        )
        handle = (turned(bar[0], "y", float(random.choice([0, 90, 180, 45]))), bar[1])
        centre = handle[0].mean(axis=0)
        held = grip("power", centre, (0, -1, 0), centre * [1, 0, 1], 0.018)
    metal = finish(random, "brass", "steel", "painted_metal", "dark_metal", "brushed_metal")
    surfaces = [surface(merge(tube, *flanges), metal), surface(stem, metal)]
    surfaces.append(
        surface(handle, finish(random, "painted_metal", "painted_metal", "plastic", "brass"), 1)
    )
    if random.random() < 0.5:
        surfaces = [_upright(one) for one in surfaces]
        held = grip(
            held.grasp,
            held.point[[2, 1, 0]] * [-1, 1, 1],
            held.normal,
            held.axis[[2, 1, 0]] * [-1, 1, 1],
            held.width,
        )
    return assemble(
        "valve",
        family,
        surfaces,
        {"handle": 1},
        {"turn": ("handle",)},
        {"turn": [held]},
        support="wall",
    )


def _upright(one: Surface) -> Surface:
    return Surface(
        one.vertices[:, [2, 1, 0]] * [-1, 1, 1],
        one.faces,
        one.part,
        one.finish,
        one.smooth,
        one.bevel,
    )


def _dial(random: Generator, radius: float) -> list[Mesh]:
    high = random.uniform(0.014, 0.026)
    mesh = revolve(
        [
            (0, 0),
            (radius, 0),
            (radius * random.uniform(0.75, 1), high * 0.9),
            (radius * 0.7, high),
            (0, high),
        ],
        40,
    )
    if random.random() < 0.4:
        flute = 1 + 0.05 * np.cos(14 * np.arctan2(mesh[0][:, 1], mesh[0][:, 0]))
        mesh = (mesh[0] * np.column_stack([flute, flute, np.ones_like(flute)]), mesh[1])
    mark = moved(box((0, radius * 0.45, high), (0.003, radius * 0.8, 0.003)), (0, 0, 0))
    if random.random() < 0.3:
        mark = box((0, 0, high), (radius * 0.35, radius * 1.8, high * 0.9))
    turn = float(random.uniform(-140, 140))
    return [(turned(part[0], "z", turn), part[1]) for part in (mesh, mark)]


def _button(random: Generator, size: float) -> Mesh:
    high = random.uniform(0.005, 0.011)
    style = random.random()
    if style < 0.5:
        return revolve([(0, 0), (size, 0), (size, high * 0.6), (size * 0.8, high), (0, high)], 28)
    if style < 0.65:
        return revolve(
            [
                (0, 0),
                (size * 0.5, 0),
                (size * 0.5, high),
                (size * 1.3, high * 1.3),
                (size * 1.0, high * 2.2),
                (0, high * 2.6),
            ],
            28,
        )
    outline = rounded_rectangle(2 * size * random.uniform(1, 1.5), 2 * size, size * 0.4)
    return loft([outline, outline, outline * 0.85], [0, high * 0.7, high])


def build_panel(random: Generator) -> ObjectModel:
    """Build a control panel, a radio, a cooker's front: knobs to turn, buttons to press."""
    family = str(random.choice(["mixed", "mixed", "knobs", "buttons"]))
    wide, high = random.uniform(0.2, 0.38), random.uniform(0.1, 0.2)
    deep = random.uniform(0.05, 0.14)
    body = finish(random, "plastic", "dark_plastic", "steel", "wood", "paint", "painted_metal")
    surfaces = [
        surface(
            box((0, 0, high / 2), (wide, deep, high)),
            body,
            smooth=False,
            bevel=float(random.uniform(0.002, 0.01)),
        )
    ]
    count = int(random.integers(2, 6))
    kinds = ["knob" if k % 2 == 0 else "button" for k in range(count)]
    kinds = ["knob"] * count if family == "knobs" else kinds
    kinds = ["button"] * count if family == "buttons" else kinds
    random.shuffle(kinds)
    xs = np.linspace(-wide * 0.37, wide * 0.37, count)
    gap = wide * 0.74 / max(count - 1, 1)
    level = high * random.uniform(0.32, 0.6)
    knob_material = finish(random, "dark_plastic", "steel", "plastic", "brushed_metal", "porcelain")
    key = finish(random, "plastic", "plastic", "painted_metal", "porcelain")
    y = -deep / 2
    grips: dict[str, list[Grip]] = {}
    names = [n for n in ("knob", "button") if n in kinds]
    parts = {name + "s": k + 1 for k, name in enumerate(names)}
    knob_radius = min(random.uniform(0.014, 0.026), gap * 0.42)
    button_size = min(random.uniform(0.008, 0.015), gap * 0.3)
    for x, kind in zip(xs, kinds, strict=True):
        at = np.array([x, y, level])
        if kind == "knob":
            cap, mark = _dial(random, knob_radius)
            surfaces.append(surface(moved(facing_front(cap), at), knob_material, parts["knobs"]))
            surfaces.append(
                surface(moved(facing_front(mark), at), key, parts["knobs"], smooth=False)
            )
            held = grip("twist", at + [0, -0.012, 0], (0, -1, 0), (0, 0, 1), 2 * knob_radius)
            grips.setdefault("turn", []).append(held)
        else:
            mesh = moved(facing_front(_button(random, button_size)), at)
            surfaces.append(surface(mesh, key, parts["buttons"]))
            front = np.array([x, float(mesh[0][:, 1].min()), level])
            grips.setdefault("press", []).append(
                grip("push", front, (0, -1, 0), (0, 0, 1), 2 * button_size)
            )
    if random.random() < 0.6:
        screen = box(
            (0, y - 0.001, high * 0.82), (wide * random.uniform(0.3, 0.8), 0.003, high * 0.2)
        )
        surfaces.append(surface(screen, finish(random, "screen", "label"), smooth=False))
    affords = {{"knob": "turn", "button": "press"}[n]: (n + "s",) for n in names}
    support = "wall" if random.random() < 0.5 else "table"
    return assemble("panel", family, surfaces, parts, affords, grips, support=support)


def build_switch(random: Generator) -> ObjectModel:
    """Build a light switch, a door bell or a lift's buttons."""
    family = str(random.choice(["rocker", "double", "bell", "lift", "emergency"]))
    plate_material = finish(
        random, "porcelain", "plastic", "steel", "brass", "brushed_metal", "dark_plastic"
    )
    key = (
        plate_material if random.random() < 0.4 else finish(random, "plastic", "porcelain", "steel")
    )
    wide, high = random.uniform(0.07, 0.09), random.uniform(0.07, 0.12)
    places: list[tuple[float, float]] = [(0, 0)]
    if family == "double":
        places = [(-wide * 0.2, 0), (wide * 0.2, 0)]
    elif family == "lift":
        high = random.uniform(0.14, 0.22)
        places = [
            (0, z) for z in np.linspace(-high * 0.33, high * 0.33, int(random.integers(2, 5)))
        ]
    plate = loft(
        [rounded_rectangle(wide, high, 0.008), rounded_rectangle(wide, high, 0.008) * 0.96],
        [0.0, 0.008],
    )
    surfaces = [surface(facing_front(plate), plate_material, smooth=False)]
    grips = []
    for x, z in places:
        if family in ("rocker", "double"):
            size = (wide * (0.3 if family == "double" else random.uniform(0.35, 0.7)), high * 0.55)
            mesh = box((0, 0, 0.009), (size[0], size[1], 0.009))
            mesh = (turned(mesh[0], "x", float(random.choice([-5, 5]))), mesh[1])
            reach = 0.014
        elif family == "emergency":
            mesh = revolve(
                [(0, 0), (0.014, 0.008), (0.012, 0.02), (0.022, 0.024), (0.02, 0.034), (0, 0.038)],
                32,
            )
            reach = 0.038
        else:
            radius = random.uniform(0.01, 0.015)
            mesh = revolve([(0, 0.006), (radius, 0.008), (radius * 0.92, 0.012), (0, 0.0125)], 32)
            reach = 0.0125
        at = np.array([x, 0, z])
        surfaces.append(surface(moved(facing_front(mesh), at), key, 1))
        grips.append(grip("push", at + [0, -reach, 0], (0, -1, 0), (0, 0, 1), 0.02))
    return assemble(
        "switch",
        family,
        surfaces,
        {"button": 1},
        {"press": ("button",)},
        {"press": grips},
        support="wall",
    )


def _keys(
    columns: int, rows: int, pitch: tuple[float, float], top: float, random: Generator
) -> list[Mesh]:
    keys = []
    shape = random.random()
    size = np.array(pitch) * random.uniform(0.6, 0.85)
    for i in range(columns):
        for j in range(rows):
            x = (i - (columns - 1) / 2) * pitch[0]
            y = (j - (rows - 1) / 2) * pitch[1]
            if shape < 0.4:
                radius = float(min(size)) / 2
                mesh = revolve([(0, 0), (radius, 0), (radius * 0.9, 0.0035), (0, 0.004)], 16)
            else:
                outline = rounded_rectangle(size[0], size[1], float(min(size)) * 0.25, 3)
                mesh = loft([outline, outline * 0.88], [0, 0.004])
            keys.append(moved(mesh, (x, y, top)))
    return keys


def build_remote(random: Generator) -> ObjectModel:
    """Build a remote control, a telephone's keypad or a calculator."""
    family = str(random.choice(["remote", "calculator", "keypad"]))
    wide = {"remote": 0.05, "calculator": 0.08, "keypad": 0.09}[family] * random.uniform(0.85, 1.15)
    long = (
        wide * {"remote": 3.6, "calculator": 1.7, "keypad": 1.3}[family] * random.uniform(0.9, 1.1)
    )
    high = random.uniform(0.01, 0.02)
    outline = rounded_rectangle(wide, long, random.uniform(0.004, wide * 0.4))
    body = loft(
        [outline * 0.94, outline, outline, outline * 0.95], [0, high * 0.3, high * 0.8, high]
    )
    columns = int(random.integers(3, 5))
    rows = int(random.integers(4, 8)) if family == "remote" else int(random.integers(4, 6))
    area = long * (0.75 if family == "remote" else 0.55)
    keys = _keys(columns, rows, (wide * 0.85 / columns, area / rows), high - 0.0005, random)
    shift = -long * 0.5 + area / 2 + wide * 0.08
    keys = [moved(mesh, (0, shift, 0)) for mesh in keys]
    dark = finish(random, "dark_plastic", "dark_plastic", "plastic", "porcelain", "brushed_metal")
    key = finish(random, "rubber", "plastic", "porcelain", "dark_plastic")
    surfaces = [surface(body, dark), surface(merge(*keys), key, 1)]
    if family != "remote":
        screen = box((0, long * 0.33, high), (wide * 0.8, long * 0.16, 0.003))
        surfaces.append(surface(screen, finish(random, "screen"), smooth=False))
    points = [mesh[0].mean(axis=0) for mesh in keys]
    grips = [grip("push", p + [0, 0, 0.002], (0, 0, 1), (0, 1, 0), 0.01) for p in points]
    return assemble(
        "remote", family, surfaces, {"buttons": 1}, {"press": ("buttons",)}, {"press": grips}
    )


def build_keyboard(random: Generator) -> ObjectModel:
    """Build a computer's keyboard or a piano's."""
    family = str(random.choice(["computer", "compact", "piano"]))
    plastic = ("dark_plastic", "plastic", "porcelain", "brushed_metal")
    if family == "piano":
        count = int(random.integers(14, 26))
        wide, deep = count * 0.023, 0.22
        body = box((0, 0.03, 0.012), (wide + 0.04, deep, 0.024))
        white = [
            box(((k - (count - 1) / 2) * 0.023, -0.03, 0.027), (0.0215, 0.13, 0.012))
            for k in range(count)
        ]
        black = [
            box(((k - (count - 1) / 2 + 0.5) * 0.023, 0.0, 0.036), (0.011, 0.08, 0.012))
            for k in range(count - 1)
            if k % 7 not in (2, 6)
        ]
        keys = merge(*white, *black)
        surfaces = [
            surface(body, finish(random, *plastic, "wood"), smooth=False, bevel=0.003),
            surface(merge(*white), finish(random, "porcelain"), 1, smooth=False),
            surface(merge(*black), finish(random, "dark_plastic"), 1, smooth=False),
        ]
    else:
        columns = 14 if family == "computer" else 11
        columns += int(random.integers(0, 4))
        pitch = 0.0185
        wide, deep = columns * pitch + 0.02, 5 * pitch + random.uniform(0.015, 0.04)
        outline = rounded_rectangle(wide, deep, 0.008)
        body = loft([outline, outline, outline * 0.99], [0, 0.008, 0.01])
        keys = merge(*_keys(columns, 5, (pitch, pitch), 0.0095, random))
        surfaces = [
            surface(body, finish(random, *plastic)),
            surface(keys, finish(random, *plastic), 1),
        ]
    centre = np.array([0, 0, float(keys[0][:, 2].max())])
    return assemble(
        "keyboard",
        family,
        surfaces,
        {"keys": 1},
        {"press": ("keys",)},
        {"press": [grip("push", centre, (0, 0, 1), (0, 1, 0), 0.015)]},
    )


def build_dispenser(random: Generator) -> ObjectModel:
    """Build a soap dispenser or a spray bottle: pressed at its head."""
    family = str(random.choice(["pump", "pump", "square", "spray"]))
    radius, high = random.uniform(0.026, 0.04), random.uniform(0.09, 0.15)
    level = np.linspace(0, 1, 24)
    shoulder = np.clip((level - 0.82) / 0.16, 0, 1)
    radii = radius * (1 - 0.62 * shoulder**1.5) * (1 + random.uniform(-0.12, 0.12) * level)
    side = [tuple(p) for p in np.column_stack([radii, level * high])[1:]]
    body = revolve([(0, 0), (radius * 0.95, 0), *side, (0, high)], 44)
    if family == "square":
        angle = np.arctan2(body[0][:, 1], body[0][:, 0])
        stretch = 0.88 / np.maximum(np.abs(np.cos(angle)), np.abs(np.sin(angle))) ** 0.8
        body = (body[0] * np.column_stack([stretch, stretch, np.ones_like(stretch)]), body[1])
    collar = revolve(
        [
            (0, high - 0.004),
            (0.015, high - 0.004),
            (0.014, high + 0.012),
            (0.004, high + 0.014),
            (0.004, high + 0.03),
            (0, high + 0.03),
        ],
        28,
    )
    top = high + 0.028
    if family == "spray":
        head = loft(
            [
                rounded_rectangle(0.05, 0.022, 0.008),
                rounded_rectangle(0.062, 0.024, 0.009),
                rounded_rectangle(0.05, 0.018, 0.008),
            ],
            [top - 0.008, top + 0.012, top + 0.024],
        )
        trigger = sweep(
            curve([(0.016, 0, top), (0.03, 0, top - 0.015), (0.026, 0, top - 0.035)], 12),
            (0.006, 0.003),
            12,
        )
        head, pressed = moved(head, (0.008, 0, 0)), trigger
        held = grip("power", trigger[0].mean(axis=0), (1, 0, 0), (0, 0, 1), 0.012)
    else:
        disc = revolve(
            [(0, top), (0.014, top), (0.0145, top + 0.009), (0.012, top + 0.013), (0, top + 0.014)],
            28,
        )
        nozzle = sweep(
            curve([(0.004, 0, top + 0.006), (0.03, 0, top + 0.006), (0.042, 0, top - 0.002)], 12),
            np.linspace(0.0065, 0.0045, 12),
            14,
        )
        pressed, head = (
            merge(disc, nozzle),
            straight_rod(np.array([0, 0, high]), np.array([0, 0, top + 0.002]), 0.0045),
        )
        held = grip("push", (0, 0, top + 0.014), (0, 0, 1), (1, 0, 0), 0.028)
    plastic = finish(random, "plastic", "dark_plastic", "steel", "brass", "porcelain")
    surfaces = [
        surface(body, finish(random, "plastic", "glass", "ceramic", "porcelain", "plastic")),
        surface(collar, plastic),
        surface(head, plastic),
        surface(pressed, plastic, 1),
    ]
    if random.random() < 0.4 and family == "pump":
        label = revolve([(radius * 1.03, high * 0.25), (radius * 1.03, high * 0.6)], 40)
        surfaces.append(surface(label, finish(random, "label")))
    return assemble(
        "dispenser", family, surfaces, {"head": 1}, {"press": ("head",)}, {"press": [held]}
    )
