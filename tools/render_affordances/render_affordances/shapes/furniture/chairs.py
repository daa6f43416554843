"""Chairs of dining rooms and offices."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from render_affordances.meshes.geometry import (
    Mesh,
    box,
    curve,
    grid_faces,
    loft,
    merge,
    moved,
    revolve,
    rounded_rectangle,
    sweep,
    turned,
)
from render_affordances.meshes.model import Array, ObjectModel, Surface
from render_affordances.shapes.parts.assembly import assemble_seat, finish, surface
from render_affordances.shapes.parts.padding import leaning, padded, upholstery, upright
from render_affordances.shapes.parts.tools import straight_rod

FAMILIES = ("spindle", "upholstered", "shell", "wire", "barrel")


def _legs(half: float, high: float, radius: float, splay: float) -> list[Mesh]:
    """Four legs and rails between them."""
    meshes = []
    for x in (-1, 1):
        for y in (-1, 1):
            top = np.array([x * half * 0.8, y * half * 0.8, high])
            foot = np.array([x * (half * 0.8 + splay), y * (half * 0.8 + splay), 0])
            meshes.append(straight_rod(foot, top, radius, 6))
    low = high * 0.4
    reach = half * 0.8 + splay * 0.6
    for x in (-1, 1):
        start, stop = np.array([x * reach, -reach, low]), np.array([x * reach, reach, low])
        meshes.append(straight_rod(start, stop, radius * 0.7, 4))
    return meshes


def _spindle(random: Generator, half: float, high: float, back: float) -> list[Surface]:
    """A wooden seat with a bow and spindles, as Windsor chairs have."""
    wood = finish(random, "wood", "wood", "wood", "paint", "dark_plastic")
    outline = rounded_rectangle(2 * half, 2 * half, half * 0.7)
    seat = loft([outline * 0.9, outline, outline * 0.97], [high - 0.03, high - 0.012, high])
    lean = random.uniform(0.04, 0.12)
    angle = np.linspace(0, np.pi, 26)
    rise = np.abs(np.sin(angle)) ** random.uniform(0.5, 0.9)
    bow = np.column_stack(
        [-half * 0.85 * np.cos(angle), half * 0.8 + lean * rise, high - 0.01 + back * rise]
    )
    rods = [
        sweep(bow, random.uniform(0.009, 0.014), 12),
        *_legs(half, high - 0.02, 0.016, random.uniform(0.03, 0.09)),
    ]
    for x in np.linspace(-0.6, 0.6, int(random.integers(4, 9))) * half:
        top = float(np.interp(x, bow[:, 0], bow[:, 2]))
        share = (top - high) / back
        rods.append(
            straight_rod(
                np.array([x * 0.85, half * 0.78, high - 0.01]),
                np.array([x, half * 0.8 + lean * share, top]),
                0.006,
                4,
            )
        )
    cushion: list[Surface] = []
    if random.random() < 0.35:
        pad = padded((1.7 * half, 1.7 * half, 0.02), 0.012, half * 0.5)
        cushion = [surface(moved(pad, (0, -0.01, high)), finish(random, "cloth", "label"), 1)]
    return [surface(seat, wood, 1), surface(merge(*rods), wood), *cushion]


def _upholstered(random: Generator, half: float, high: float, back: float) -> list[Surface]:
    """A padded seat and a tall padded back on square legs."""
    cover = upholstery(random)
    wood = finish(random, "wood", "wood", "dark_metal", "paint")
    thick = random.uniform(0.05, 0.1)
    seat = moved(padded((2 * half, 2 * half, thick), 0.015, 0.03), (0, 0, high - thick))
    tall = back + random.uniform(0.0, 0.15)
    covered = random.random() < 0.6
    board = padded((1.9 * half, tall * (1.0 if covered else 0.6), 0.05), 0.015, 0.04)
    rest = moved(upright(board), (0, 0.03, tall * (0.5 if covered else 0.68)))
    rest = moved(leaning(rest, random.uniform(4, 12)), (0, half * 0.85, high - 0.01))
    legs = [
        box(
            (x * (half - 0.03), y * (half - 0.03), (high - thick) / 2),
            (0.04, 0.04, high - thick + 0.01),
        )
        for x in (-1, 1)
        for y in (-1, 1)
    ]
    surfaces = [surface(seat, cover, 1), surface(rest, cover)]
    if not covered:
        posts = [leaning(box((0, 0, tall * 0.25), (0.035, 0.03, tall * 0.6)), 8) for _ in range(2)]
        legs += [
            moved(post, (x * half * 0.75, half * 0.9, high - thick))
            for post, x in zip(posts, (-1, 1), strict=True)
        ]
    if random.random() < 0.3:
        for x in (-1, 1):
            legs.append(box((x * half, 0, high + 0.2), (0.045, 1.5 * half, 0.03)))
            legs.append(box((x * half, -half * 0.6, high + 0.08), (0.04, 0.04, 0.26)))
    return [*surfaces, surface(merge(*legs), wood, smooth=False, bevel=0.004)]


def _sheet(line: Array, half: Array, hollow: Array, split: int) -> tuple[Mesh, NDArray[np.uint8]]:
    """A curved sheet, 8 mm thick, and which of its faces are above and before `split`.

    Args:
        line: (K, 2) y and z of its middle line, from the front edge to the top of the back.
        half: (K,) half its width.
        hollow: (K,) how far its sides stand out of its middle.
        split: row at which the back begins.
    """
    columns = 13
    u = np.linspace(-1, 1, columns)
    tangent = np.gradient(line, axis=0)
    normal = np.column_stack([-tangent[:, 1], tangent[:, 0]])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    sheets = []
    for lift in (0.004, -0.004):
        out = hollow[:, None] * u**2 + lift
        x = half[:, None] * u
        y = line[:, :1] + normal[:, :1] * out
        z = line[:, 1:] + normal[:, 1:] * out
        sheets.append(np.stack([x, y, z], axis=-1).reshape(-1, 3))
    faces: list[tuple[int, ...]] = []
    count = len(line) * columns
    for i in range(len(line) - 1):
        for j in range(columns - 1):
            a, b = i * columns + j, (i + 1) * columns + j
            faces.append((a, a + 1, b + 1, b))
    above = [i < split for i in range(len(line) - 1) for _ in range(columns - 1)]
    below = [tuple(count + k for k in face[::-1]) for face in faces]
    parts = np.array([*above, *[False] * len(below)], dtype=np.uint8)
    return (np.concatenate(sheets), [*faces, *below]), parts


def _shell(random: Generator, half: float, high: float, back: float) -> list[Surface]:
    """A moulded shell on rods or four legs."""
    lean = random.uniform(0.06, 0.14)
    corners = [
        (-half - 0.02, high - 0.03),
        (-half * 0.8, high),
        (0.0, high - 0.015),
        (half * 0.75, high + 0.01),
        (half * 0.98, high + 0.08),
        (half + lean * 0.5, high + back * 0.55),
        (half + lean, high + back),
    ]
    line = curve(corners, 40)
    share = np.linspace(0, 1, 40)
    wide = (
        half
        * (1.0 + 0.05 * np.sin(np.pi * share))
        * (1 - 0.35 * np.clip((share - 0.8) / 0.2, 0, 1) ** 2)
    )
    wide *= np.sqrt(np.clip(share / 0.04 + 0.75, 0, 1))
    hollow = random.uniform(0.0, 0.05) * np.sin(np.pi * np.clip(share, 0.05, 1))
    mesh, parts = _sheet(line, wide, hollow, split=21)
    cover = finish(random, "plastic", "plastic", "porcelain", "wood", "leather", "cloth")
    legs = _legs(half * 0.8, high - 0.02, random.uniform(0.008, 0.015), random.uniform(0.03, 0.1))
    return [
        surface(mesh, cover, parts),
        surface(merge(*legs), finish(random, "steel", "wood", "dark_metal", "painted_metal")),
    ]


def _wire(random: Generator, half: float, high: float, back: float) -> list[Surface]:
    """A metal frame with a pattern of rods in its back and a padded seat."""
    metal = finish(random, "dark_metal", "steel", "painted_metal", "brass")
    lean, radius = random.uniform(0.04, 0.12), random.uniform(0.008, 0.013)
    angle = np.linspace(0, np.pi, 20)
    rise = np.abs(np.sin(angle)) ** 0.4
    bow = np.column_stack(
        [-half * 0.9 * np.cos(angle), half * 0.9 + lean * rise, high + back * rise]
    )
    rods = [sweep(bow, radius, 12), *_legs(half, high - 0.02, radius, random.uniform(0.0, 0.06))]
    count = int(random.integers(3, 6))
    for x in np.linspace(-0.62, 0.62, count) * half:
        low = np.array([x, half * 0.9, high])
        sides = (-0.25, 0.25) if random.random() < 0.5 else (0.0,)
        tops = [(x + k * half, half * 0.9 + lean * 0.85, high + back * 0.9) for k in sides]
        rods += [straight_rod(low, np.array(top), radius * 0.55, 4) for top in tops]
    thick = random.uniform(0.03, 0.06)
    seat = moved(
        padded((2 * half, 2 * half, thick), 0.012, half * random.uniform(0.2, 0.9)),
        (0, 0, high - thick),
    )
    return [
        surface(seat, finish(random, "cloth", "leather", "label", "wood", "plastic"), 1),
        surface(merge(*rods), metal),
    ]


def _barrel(random: Generator, half: float, high: float, back: float) -> list[Surface]:
    """A padded seat inside a back that runs round to form the arms."""
    cover = upholstery(random)
    thick = random.uniform(0.06, 0.12)
    seat = moved(padded((2 * half, 2 * half, thick), 0.02, half * 0.6), (0, -0.01, high - thick))
    angle = np.linspace(np.deg2rad(-30), np.deg2rad(210), 30)
    ring = np.column_stack([np.cos(angle), np.sin(angle)]) * (half + 0.03)
    low, drop = high - thick, random.uniform(0.3, 0.75)
    top = high + back * 0.75 * (1 - drop * (0.5 - 0.5 * np.sin(angle)))
    corners = []
    for (x, y), z in zip(ring, top, strict=True):
        out = np.array([x, y]) / (half + 0.03)
        corners += [
            [x - out[0] * 0.025, y - out[1] * 0.025, low],
            [x - out[0] * 0.025, y - out[1] * 0.025, z],
            [x + out[0] * 0.03, y + out[1] * 0.03, z],
            [x + out[0] * 0.03, y + out[1] * 0.03, low],
        ]
    faces = [face[::-1] for face in grid_faces(30, 4)]
    faces += [(0, 1, 2, 3), (119, 118, 117, 116)]
    wall: Mesh = (np.array(corners), faces)
    legs = _legs(half * 0.95, low + 0.01, random.uniform(0.014, 0.024), 0.02)[:4]
    return [
        surface(seat, cover if random.random() < 0.6 else upholstery(random), 1),
        surface(wall, cover, bevel=0.008),
        surface(merge(*legs), finish(random, "wood", "wood", "steel", "dark_metal")),
    ]


_MAKERS = {
    "spindle": _spindle,
    "upholstered": _upholstered,
    "shell": _shell,
    "wire": _wire,
    "barrel": _barrel,
}


def build_dining_chair(random: Generator) -> ObjectModel:
    """Build a chair that stands at a table."""
    family = str(random.choice(FAMILIES))
    half, high = random.uniform(0.19, 0.25), random.uniform(0.42, 0.5)
    back = random.uniform(0.36, 0.58)
    return assemble_seat("dining_chair", family, _MAKERS[family](random, half, high, back), high)


def _star(random: Generator, high: float) -> list[Mesh]:
    """A foot of five arms with castors, and the column on it."""
    reach = random.uniform(0.24, 0.32)
    meshes = [revolve([(0, 0.05), (0.03, 0.05), (0.026, 0.2), (0.02, high), (0, high)], 18)]
    for degrees in np.arange(5) * 72.0 + random.uniform(0, 72):
        arm = sweep(
            np.linspace((0, 0, 0.1), (reach, 0, 0.065), 5), (0.016, 0.022), 10, up=(0, 0, 1)
        )
        wheel = sweep(
            np.linspace((reach, -0.02, 0.026), (reach, 0.02, 0.026), 3), 0.026, 14, up=(0, 0, 1)
        )
        meshes += [(turned(one[0], "z", float(degrees)), one[1]) for one in (arm, wheel)]
    return meshes


def build_swivel_chair(random: Generator) -> ObjectModel:
    """Build an office chair."""
    family = str(random.choice(["task", "task", "executive", "mesh", "armless"]))
    half, high = random.uniform(0.21, 0.27), random.uniform(0.42, 0.54)
    back = random.uniform(0.32, 0.5) if family != "executive" else random.uniform(0.55, 0.72)
    cover = finish(random, "fabric", "fabric", "leather", "leather", "cloth", "dark_plastic")
    thick = random.uniform(0.05, 0.1)
    seat = moved(padded((2 * half, 1.9 * half, thick), 0.015, half * 0.45), (0, 0, high - thick))
    gap = 0.03 if family == "executive" else random.uniform(0.08, 0.16)
    board = padded((1.8 * half, back, 0.05 if family != "mesh" else 0.015), 0.02, half * 0.35)
    rest = moved(upright(board), (0, 0.02, back / 2))
    rest = moved(leaning(rest, random.uniform(2, 14)), (0, half * 0.92, high + gap))
    dark = finish(random, "dark_plastic", "dark_plastic", "steel", "brushed_metal")
    rods = [
        *_star(random, high - thick + 0.005),
        sweep(
            curve(
                [
                    (0, 0.02, high - thick - 0.01),
                    (0, half * 1.1, high - thick),
                    (0, half * 1.05, high + gap + back * 0.4),
                ],
                12,
            ),
            (0.008, 0.025),
            10,
            up=(0, 0.1, 1) if gap < 0 else (0, 1, 0.3),
        ),
    ]
    surfaces = [
        surface(seat, cover, 1),
        surface(rest, finish(random, "cloth", "dark_plastic") if family == "mesh" else cover),
    ]
    if family != "armless" and random.random() < 0.8:
        rise = random.uniform(0.16, 0.24)
        for x in (-1, 1):
            rods.append(
                moved(padded((0.06, 0.24, 0.03), 0.0, 0.02), (x * (half + 0.04), 0, high + rise))
            )
            path = [
                (x * half * 0.6, 0, high - thick),
                (x * (half + 0.05), 0, high - thick * 0.5),
                (x * (half + 0.045), 0.02, high + rise),
            ]
            rods.append(sweep(curve(path, 14), (0.022, 0.012), 10, up=(0, 1, 0)))
    return assemble_seat("swivel_chair", family, [*surfaces, surface(merge(*rods), dark)], high)
