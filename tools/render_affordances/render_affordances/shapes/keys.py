"""Things with keys or a head to press: remote control, keyboard, laptop, mouse, dispenser."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

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
    turned,
)
from render_affordances.meshes.model import Grip, ObjectModel
from render_affordances.shapes.parts.assembly import assemble, finish, grip, surface
from render_affordances.shapes.parts.tools import straight_rod


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
    grips = [grip("push", p + np.array([0, 0, 0.002]), (0, 0, 1), (0, 1, 0), 0.01) for p in points]
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


def _pump(top: float, high: float) -> tuple[Mesh, Mesh, Grip]:
    """A pump's head with its nozzle, its rod, and how it is pressed."""
    line = [(0, top), (0.014, top), (0.0145, top + 0.009), (0.012, top + 0.013), (0, top + 0.014)]
    path = [(0.004, 0, top + 0.006), (0.03, 0, top + 0.006), (0.042, 0, top - 0.002)]
    nozzle = sweep(curve(path, 12), np.linspace(0.0065, 0.0045, 12), 14)
    rod = straight_rod(np.array([0, 0, high]), np.array([0, 0, top + 0.002]), 0.0045)
    held = grip("push", (0, 0, top + 0.014), (0, 0, 1), (1, 0, 0), 0.028)
    return merge(revolve(line, 28), nozzle), rod, held


def _trigger(top: float) -> tuple[Mesh, Mesh, Grip]:
    """A spray head's trigger, the head, and how it is pulled."""
    sizes = [(0.05, 0.022, 0.008), (0.062, 0.024, 0.009), (0.05, 0.018, 0.008)]
    head = loft([rounded_rectangle(*s) for s in sizes], [top - 0.008, top + 0.012, top + 0.024])
    path = [(0.016, 0, top), (0.03, 0, top - 0.015), (0.026, 0, top - 0.035)]
    trigger = sweep(curve(path, 12), (0.006, 0.003), 12)
    held = grip("power", trigger[0].mean(axis=0), (1, 0, 0), (0, 0, 1), 0.012)
    return trigger, moved(head, (0.008, 0, 0)), held


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
    collar = [(0, high - 0.004), (0.015, high - 0.004), (0.014, high + 0.012)]
    collar += [(0.004, high + 0.014), (0.004, high + 0.03), (0, high + 0.03)]
    top = high + 0.028
    pressed, fixed, held = _trigger(top) if family == "spray" else _pump(top, high)
    plastic = finish(random, "plastic", "dark_plastic", "steel", "brass", "porcelain")
    surfaces = [
        surface(body, finish(random, "plastic", "glass", "ceramic", "porcelain", "plastic")),
        surface(revolve(collar, 28), plastic),
        surface(fixed, plastic),
        surface(pressed, plastic, 1),
    ]
    if random.random() < 0.4 and family == "pump":
        label = revolve([(radius * 1.03, high * 0.25), (radius * 1.03, high * 0.6)], 40)
        surfaces.append(surface(label, finish(random, "label")))
    return assemble(
        "dispenser", family, surfaces, {"head": 1}, {"press": ("head",)}, {"press": [held]}
    )


def build_laptop(random: Generator) -> ObjectModel:
    """Build an open laptop."""
    family = str(random.choice(["wide", "small", "thick"]))
    wide = random.uniform(0.3, 0.38) if family != "small" else random.uniform(0.24, 0.29)
    deep, thick = wide * random.uniform(0.62, 0.72), random.uniform(0.012, 0.03)
    if family == "thick":
        thick *= 1.4
    case = finish(random, "brushed_metal", "dark_plastic", "dark_plastic", "enamel", "steel")
    outline = rounded_rectangle(wide, deep, random.uniform(0.006, 0.016))
    base = loft([outline * 0.99, outline, outline * 0.995], [0, thick * 0.6, thick])
    columns, pitch = int(random.integers(12, 16)), wide * 0.88 / 14
    shift = deep * random.uniform(0.1, 0.16)
    pitch = min(pitch, wide * 0.9 / columns)
    keys = moved(merge(*_keys(columns, 5, (pitch, pitch), thick - 0.002, random)), (0, shift, 0))
    pad = box((0, -deep * 0.3, thick), (wide * 0.3, deep * 0.26, 0.001))
    lid = box((0, 0, deep / 2), (wide, 0.008, deep))
    screen = box((0, -0.0045, deep * 0.52), (wide * 0.93, 0.002, deep * 0.86))
    lean = float(random.uniform(2, 35))
    hinge = np.array([0, deep / 2 - 0.004, thick])
    placed = [(turned(one[0], "x", -lean) + hinge, one[1]) for one in (lid, screen)]
    key = finish(random, "dark_plastic", "dark_plastic", "porcelain", "enamel", "plastic")
    surfaces = [
        surface(base, case, smooth=False),
        surface(keys, key, 1),
        surface(pad, finish(random, "dark_plastic", "brushed_metal", "plastic"), smooth=False),
        surface(placed[0], case, smooth=False, bevel=0.002),
        surface(placed[1], finish(random, "screen", "screen", "daylight"), smooth=False),
    ]
    point = np.array([0, shift, float(keys[0][:, 2].max())])
    held = grip("push", point, (0, 0, 1), (0, 1, 0), 0.015)
    return assemble(
        "laptop", family, surfaces, {"keys": 1}, {"press": ("keys",)}, {"press": [held]}
    )


def build_mouse(random: Generator) -> ObjectModel:
    """Build a computer mouse, pressed at its two buttons."""
    long, wide = random.uniform(0.045, 0.06), random.uniform(0.026, 0.034)
    high = random.uniform(0.026, 0.038)
    level = np.linspace(0, np.pi / 2, 14)
    line = np.column_stack([np.cos(level) ** 0.6, np.sin(level)])
    body = revolve([(0, 0), *[tuple(p) for p in line[:-1]], (0, 1.0)], 40)
    points = body[0] * [wide, long, high]
    points[:, 0] *= 1 - random.uniform(0, 0.18) * np.cos(points[:, 1] / long * 2.5)
    mesh: Mesh = (points, body[1])
    split = long * random.uniform(0.0, 0.25)
    ids = parts_where(mesh, 1, lambda c: (c[:, 1] > split) & (c[:, 2] > 0.3 * high))
    above = points[(np.abs(points[:, 0]) < 0.25 * wide) & (points[:, 2] > 0.3 * high)]
    at = above[np.argmin(np.abs(above[:, 1] - split - 0.4 * (long - split)))]
    wheel = sweep(
        np.linspace((-0.003, at[1], at[2] - 0.004), (0.003, at[1], at[2] - 0.004), 3),
        0.007,
        16,
        up=(0, 0, 1),
    )
    front = points[(points[:, 1] > split) & (points[:, 2] > 0.3 * high)].mean(axis=0)
    nearest = points[np.argmin(np.linalg.norm(points - front, axis=1))]
    surfaces = [
        surface(mesh, finish(random, "dark_plastic", "enamel", "enamel", "rubber"), ids),
        surface(wheel, finish(random, "rubber", "plastic"), 1),
    ]
    held = grip("push", nearest, (0, 0, 1), (0, 1, 0), 0.02)
    return assemble(
        "mouse", "plain", surfaces, {"buttons": 1}, {"press": ("buttons",)}, {"press": [held]}
    )
