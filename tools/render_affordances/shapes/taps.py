"""Things to turn: tap and valve."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from tools.render_affordances.geometry import (
    Mesh,
    box,
    curve,
    facing_front,
    merge,
    moved,
    revolve,
    sweep,
    turned,
)
from tools.render_affordances.model import Array, Grip, ObjectModel, Surface
from tools.render_affordances.shapes.assembly import assemble, finish, grip, surface

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
