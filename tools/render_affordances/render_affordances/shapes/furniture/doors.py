"""Doors of rooms, and windows."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import (
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
from render_affordances.meshes.model import Grip, ObjectModel, Surface
from render_affordances.shapes.parts.assembly import assemble, finish, grip, surface
from render_affordances.shapes.parts.pulls import hooked, pull


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
        surfaces.append(surface(moved(key, at + np.array([0, 0, -0.075])), metal))
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


def _frame(wide: float, high: float, bar: float, y: float, thick: float) -> Mesh:
    """Four bars around an opening whose outer size is `wide` by `high`, standing on z = 0."""
    sides = [box((x * (wide - bar) / 2, y, high / 2), (bar, thick, high)) for x in (-1, 1)]
    ends = [box((0, y, z), (wide - 2 * bar, thick, bar)) for z in (bar / 2, high - bar / 2)]
    return merge(*sides, *ends)


def build_window(random: Generator) -> ObjectModel:
    """Build a window of one or two sashes, opened by a handle on the frame of one."""
    sashes = int(random.choice([1, 1, 2]))
    wide, high = random.uniform(0.4, 0.7), random.uniform(0.7, 1.2)
    bar = random.uniform(0.045, 0.08)
    white = finish(random, "enamel", "porcelain", "wood", "paint", "plaster")
    outer = _frame(sashes * wide + 2 * bar, high + 2 * bar, bar, 0.0, 0.06)
    surfaces = [surface(outer, white, smooth=False, bevel=0.003)]
    glass = finish(random, "daylight", "daylight", "screen", "steel")
    for k in range(sashes):
        x = (k - (sashes - 1) / 2) * wide
        sash = moved(_frame(wide, high, bar, 0.0, 0.05), (x, -0.025, bar))
        pane = box((x, -0.015, bar + high / 2), (wide - bar, 0.006, high - bar))
        surfaces.append(surface(sash, white, smooth=False, bevel=0.004))
        surfaces.append(surface(pane, glass, smooth=False))
        if random.random() < 0.3:
            cross = box((x, -0.025, bar + high / 2), (wide - bar, 0.02, 0.025))
            surfaces.append(surface(cross, white, smooth=False, bevel=0.002))
    side = 1.0 if sashes == 1 else float(random.choice([-1, 1]))
    x = (0.0 if sashes == 1 else -side * wide / 2) + side * (wide / 2 - bar / 2)
    place = np.array([x, -0.0495, bar + high * random.uniform(0.4, 0.55)])
    plate = facing_front(loft([rounded_rectangle(0.026, 0.065, 0.008)] * 2, [0.0, 0.012]))
    angle = np.deg2rad(random.choice([-90, -90, 0, 180]) + random.normal(0, 6))
    length, s = random.uniform(0.09, 0.13), np.linspace(0, 1, 16)
    out = -0.014 - 0.03 * np.clip(s / 0.25, 0, 1) ** 0.7
    path = np.column_stack([s * length * np.cos(angle), out, s * length * np.sin(angle)])
    lever = sweep(path, (0.0065, 0.0095), 14, up=(0, 1, 0.2))
    metal = white if random.random() < 0.4 else finish(random, "steel", "brass", "enamel")
    surfaces += [surface(moved(plate, place), metal), surface(moved(lever, place), metal, 1)]
    held = grip("power", path[11] + place, (0, -1, 0), path[-1] - path[4], 0.018)
    return assemble(
        "window",
        "single" if sashes == 1 else "double",
        surfaces,
        {"handle": 1},
        {"open": ("handle",)},
        {"open": [held]},
        support="wall",
    )


def _mirrored(one: Surface, flip: float) -> Surface:
    faces = one.faces if flip > 0 else tuple(face[::-1] for face in one.faces)
    return Surface(one.vertices * [flip, 1, 1], faces, one.part, one.finish, one.smooth, one.bevel)
