"""Rooms around furniture: floor, walls, windows, rugs, and what stands along the walls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import (
    Mesh,
    box,
    loft,
    merge,
    moved,
    revolve,
    rounded_rectangle,
    sweep,
)
from render_affordances.meshes.model import Array, ObjectModel, Surface
from render_affordances.shapes.parts.assembly import assemble, finish, surface
from render_affordances.shapes.props import build_prop

REACH = 9.0
"""Half the side of the floor, in metres."""


def _scaled(one: Surface, scale: float) -> Surface:
    return replace(one, scale=scale)


def _window(random: Generator, wide: float, high: float) -> list[Surface]:
    """A window about the origin in a wall at y = 0, seen from -y, mostly with curtains."""
    pane = box((0, -0.004, 0), (wide, 0.006, high))
    frame = [box((x * wide / 2, -0.015, 0), (0.05, 0.03, high + 0.05)) for x in (-1, 1)]
    frame += [box((0, -0.015, z * high / 2), (wide + 0.05, 0.03, 0.05)) for z in (-1, 1)]
    for x in np.linspace(-0.5, 0.5, int(random.integers(2, 5)))[1:-1] * wide:
        frame.append(box((x, -0.012, 0), (0.03, 0.02, high)))
    surfaces = [
        _scaled(surface(pane, finish(random, "daylight"), smooth=False), 1.5),
        surface(merge(*frame), finish(random, "porcelain", "wood", "paint"), smooth=False),
    ]
    if random.random() < 0.25:
        blinds = [
            box((0, -0.05, z), (wide, 0.03, 0.004))
            for z in np.arange(-high / 2, high / 2, random.uniform(0.04, 0.08))
        ]
        surfaces.append(surface(merge(*blinds), finish(random, "porcelain", "wood"), smooth=False))
    elif random.random() < 0.7:
        cloth = finish(random, "fabric", "cloth", "label", "paint")
        for side in (-1, 1):
            s = np.linspace(0, 1, 40)
            across = random.uniform(0.15, 0.4) * wide
            x = side * (wide / 2 + 0.1 - across * s)
            y = -0.1 + 0.03 * np.sin(s * across * 90)
            top = np.column_stack([x, y, np.full(40, high / 2 + 0.15)])
            low = top - [0, 0, high + random.uniform(0.3, 0.4)]
            faces: list[tuple[int, ...]] = [(j, j + 1, 41 + j, 40 + j) for j in range(39)]
            surfaces.append(_scaled(surface((np.concatenate([top, low]), faces), cloth), 1.0))
    return surfaces


def _placed(surfaces: list[Surface], turn: Array, at: Array) -> list[Surface]:
    return [replace(one, vertices=one.vertices @ turn.T + at) for one in surfaces]


def _wall(random: Generator, material: Surface, width: float) -> list[Surface]:
    """What is on a wall that runs along x at y = 0 about the origin, seen from -y."""
    skirting = box((0, -0.012, 0.05), (2 * REACH, 0.024, random.uniform(0.06, 0.16)))
    surfaces = [
        material,
        surface(skirting, finish(random, "porcelain", "wood", "paint"), smooth=False),
    ]
    span = max(width, 0.6)
    spots = list(random.permutation(np.linspace(-1.1, 1.1, 4)) * span)
    if random.random() < 0.5:
        wide, high = random.uniform(0.7, 1.8), random.uniform(0.8, 1.5)
        at = np.array([spots.pop(), 0, random.uniform(1.3, 1.7)])
        surfaces += _placed(_window(random, wide, high), np.eye(3), at)
    for x in spots[: int(random.choice([0, 1, 2, 3], p=[0.35, 0.3, 0.2, 0.15]))]:
        wide, high = random.uniform(0.25, 0.7, 2)
        z = random.uniform(1.2, 1.8)
        border = box((x, -0.012, z), (wide, 0.024, high))
        inner = box((x, -0.02, z), (wide * 0.8, 0.016, high * 0.8))
        surfaces.append(
            surface(border, finish(random, "wood", "dark_plastic", "brass"), smooth=False)
        )
        picture = surface(inner, finish(random, "label", "label", "paint", "screen"), smooth=False)
        surfaces.append(_scaled(picture, 0.5))
    return surfaces


def _wall_board(random: Generator) -> Surface:
    mesh = box((0, 0.05, 1.95), (2 * REACH, 0.1, 4.0))
    kinds = ("plaster", "plaster", "plaster", "plaster", "paint", "label", "wood", "tiles")
    return _scaled(surface(mesh, finish(random, *kinds), smooth=False), random.uniform(0.8, 2.5))


def build_room(
    random: Generator, back: float, side: float, width: float, rug: float
) -> ObjectModel:
    """Build a floor with a wall behind it and mostly one at a side.

    Args:
        random: decides everything else.
        back: y of the wall behind, in metres.
        side: x of the wall at the side.
        width: half the width of what stands in the room, about the origin.
        rug: half the size of a rug under it; 0 for none.
    """
    floor = box((0, 0, -0.05), (2 * REACH, 2 * REACH, 0.1))
    kinds = ("wood", "wood", "wood", "wood", "fabric", "fabric", "tiles", "ceramic", "cloth")
    ground = surface(moved(floor, (0, 0, -0.0005)), finish(random, *kinds), smooth=False)
    surfaces = [_scaled(ground, random.uniform(0.6, 2.0))]
    board = _wall_board(random)
    surfaces += _placed(_wall(random, board, width), np.eye(3), np.array([0, back, 0]))
    if random.random() < 0.65:
        turn = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]) * [
            [np.sign(side)],
            [np.sign(side)],
            [1],
        ]
        other = board if random.random() < 0.7 else _wall_board(random)
        surfaces += _placed(_wall(random, other, 1.0), turn, np.array([side, back - 1.4, 0]))
    if rug > 0:
        outline = rounded_rectangle(2 * rug * random.uniform(1.0, 1.8), 2 * rug, 0.02)
        mesh = loft([outline, outline * 0.995], [0.0, 0.0004])
        if random.random() < 0.25:
            mesh = revolve([(0, 0), (rug * 1.2, 0), (rug * 1.195, 0.0004), (0, 0.0004)], 48)
        carpet = surface(mesh, finish(random, "fabric", "cloth", "label"))
        surfaces.append(_scaled(carpet, random.uniform(0.4, 1.5)))
    return ObjectModel("prop", "room", tuple(surfaces), {}, {}, {}, support="floor")


# ---- furnishings ---------------------------------------------------------------------------


def build_table(random: Generator, wide: float, deep: float, high: float) -> ObjectModel:
    """Build a table of given outer sizes in metres."""
    wood = finish(random, "wood", "wood", "wood", "paint", "porcelain", "dark_metal")
    thick = random.uniform(0.02, 0.05)
    kind = random.random()
    if kind < 0.2 and high > 0.3:
        line = [(0, high - thick), (0.49 * wide, high - thick), (wide / 2, high - thick / 2)]
        top: Mesh = revolve([*line, (0.495 * wide, high), (0, high)], 48)
        foot = [(0, 0), (wide * 0.25, 0), (wide * 0.22, 0.03), (0.05, 0.06), (0.045, high - thick)]
        legs: list[Mesh] = [revolve([*foot, (0, high - thick)], 24)]
    else:
        top = box((0, 0, high - thick / 2), (wide, deep, thick))
        leg, inset = random.uniform(0.035, 0.08), random.uniform(0.03, 0.08)
        legs = [
            box(
                (x * (wide / 2 - inset), y * (deep / 2 - inset), (high - thick) / 2),
                (leg, leg, high - thick),
            )
            for x in (-1, 1)
            for y in (-1, 1)
        ]
        if random.random() < 0.6:
            apron = (wide - 2 * inset, deep - 2 * inset, 0.07)
            legs.append(box((0, 0, high - thick - 0.034), apron))
    glass = kind > 0.88
    material = finish(random, "glass") if glass else wood
    frame = (
        wood
        if random.random() < 0.7 and not glass
        else finish(random, "steel", "wood", "dark_metal")
    )
    surfaces = [
        surface(top, material, smooth=kind < 0.2, bevel=0.0 if kind < 0.2 else 0.004),
        surface(merge(*legs), frame, smooth=kind < 0.2, bevel=0.0 if kind < 0.2 else 0.003),
    ]
    return assemble("prop", "table", surfaces, {}, {}, {}, support="floor")


def build_lamp(random: Generator, high: float) -> ObjectModel:
    """Build a lamp with a shade, `high` metres tall."""
    shade_high, wide = min(0.28, high * 0.45), min(random.uniform(0.11, 0.2), 0.4 * high)
    base = min(0.12, high * 0.22)
    stem = [
        (0, 0),
        (base, 0),
        (base * 0.9, 0.02),
        (0.012, 0.035),
        (0.012, high * 0.9),
        (0, high * 0.9),
    ]
    if high < 0.8 and random.random() < 0.6:
        bulge = high * 0.25
        stem = [
            (0, 0),
            (base * 0.7, 0),
            (base, bulge * 0.6),
            (base * 0.5, bulge * 1.6),
            (0.012, bulge * 2),
        ]
        stem += [(0.012, high * 0.9), (0, high * 0.9)]
    shade = [(wide, high - shade_high), (wide * random.uniform(0.5, 0.95), high)]
    surfaces = [
        surface(revolve(stem, 28), finish(random, "brass", "ceramic", "dark_metal", "wood")),
        surface(revolve(shade, 40), finish(random, "cloth", "paint", "porcelain", "daylight")),
    ]
    return assemble("prop", "lamp", surfaces, {}, {}, {}, support="floor")


def build_shelf(random: Generator) -> ObjectModel:
    """Build a bookcase with books."""
    wide, high, deep = random.uniform(0.5, 1.1), random.uniform(0.7, 1.9), 0.3
    boards = [box((x * wide / 2, 0, high / 2), (0.025, deep, high)) for x in (-1, 1)]
    boards.append(box((0, deep / 2 - 0.01, high / 2), (wide, 0.01, high)))
    levels = np.linspace(0.02, high - 0.02, int(random.integers(3, 6)))
    boards += [box((0, 0, z), (wide, deep, 0.025)) for z in levels]
    surfaces = [
        surface(merge(*boards), finish(random, "wood", "wood", "paint"), smooth=False, bevel=0.002)
    ]
    for z in levels[:-1]:
        x, books = -wide / 2 + 0.03, []
        while x < wide / 2 - 0.08 and random.random() < 0.96:
            thick, tall = (
                random.uniform(0.02, 0.06),
                random.uniform(0.5, 0.85) * (levels[1] - levels[0]),
            )
            books.append(
                box((x + thick / 2, 0.03, z + tall / 2 + 0.012), (thick * 0.95, 0.18, tall))
            )
            x += thick
        surfaces += [
            surface(merge(*some), finish(random, "label", "cloth", "paint"), smooth=False)
            for some in (books[0::3], books[1::3], books[2::3])
            if some
        ]
    return assemble("prop", "shelf", surfaces, {}, {}, {}, support="floor")


def _pot_plant(random: Generator) -> ObjectModel:
    """A plant of the size of furniture."""
    leaves: list[Mesh] = []
    high = random.uniform(0.6, 1.3)
    for degrees in np.linspace(0, 720, int(random.integers(14, 26)), endpoint=False):
        reach, rise = random.uniform(0.15, 0.4), random.uniform(0.3, 1.0) * high
        angle = np.deg2rad(degrees + random.normal(0, 12))
        s = np.linspace(0, 1, 9)
        out = reach * s
        line = np.column_stack(
            [out * np.cos(angle), out * np.sin(angle), 0.25 + rise * np.sin(s * 2.2)]
        )
        wide = 0.004 + 0.05 * np.sin(np.pi * s**0.7)
        leaves.append(sweep(line, np.column_stack([np.full(9, 0.002), wide]), 6, up=(0, 0, 1)))
    pot = revolve([(0, 0), (0.12, 0), (0.16, 0.28), (0.15, 0.28), (0.14, 0.25), (0, 0.25)], 28)
    surfaces = [
        surface(pot, finish(random, "ceramic", "porcelain", "wood")),
        surface(merge(*leaves), finish(random, "leaf")),
    ]
    return assemble("prop", "pot_plant", surfaces, {}, {}, {}, support="floor")


def build_furnishing(random: Generator) -> ObjectModel:
    """Build something that stands about in rooms and affords nothing."""
    kind = str(
        random.choice(["lamp", "plant", "shelf", "table", "box"], p=[0.2, 0.25, 0.2, 0.2, 0.15])
    )
    if kind == "lamp":
        return build_lamp(random, float(random.uniform(1.2, 1.7)))
    if kind == "plant":
        return _pot_plant(random)
    if kind == "shelf":
        return build_shelf(random)
    if kind == "table":
        side = float(random.uniform(0.35, 0.6))
        return build_table(random, side, side, float(random.uniform(0.4, 0.7)))
    return build_prop(random)
