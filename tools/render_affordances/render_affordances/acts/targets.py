"""What tools act on: bread under the knife, a nail under the hammer, a cup under the spout.

A target is built in its own frame: it stands on z = 0, and the tool meets it at its `point`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import Mesh, box, curve, moved, revolve, sweep, turned
from render_affordances.meshes.model import Array, Surface
from render_affordances.shapes.parts.assembly import finish, surface


@dataclass(frozen=True)
class Target:
    """Something a tool acts on.

    Attributes:
        name: what it is.
        surfaces: its meshes, standing on z = 0; they belong to no part.
        point: (3,) where the tool meets it.
        room: how far the tool may sink in below the point, in metres: a knife into bread.
    """

    name: str
    surfaces: tuple[Surface, ...]
    point: Array
    room: float = 0.0

    def placed(self, rotation: Array, shift: Array) -> Target:
        """The target turned about its origin, then shifted."""
        surfaces = tuple(
            replace(one, vertices=one.vertices @ rotation.T + shift) for one in self.surfaces
        )
        return Target(self.name, surfaces, rotation @ self.point + shift, self.room)


# ---- cut ---------------------------------------------------------------------------------


def build_food(random: Generator) -> Target:
    """Bread, fruit, a vegetable or cheese, mostly on a board; the long side along y."""
    board = float(random.uniform(0.012, 0.025)) if random.random() < 0.8 else 0.0
    kind = str(random.choice(["bread", "cucumber", "fruit", "cheese"], p=[0.4, 0.2, 0.25, 0.15]))
    mesh, height = _FOODS[kind](random)
    material = {
        "bread": finish(random, "bread"),
        "cheese": finish(random, "plastic", "paint", "fruit"),
    }.get(kind, finish(random, "fruit"))
    surfaces = [surface(moved(mesh, (0, 0, board)), material)]
    if board:
        size = (random.uniform(0.18, 0.26), random.uniform(0.26, 0.4), board)
        plank = box((random.uniform(-0.03, 0.03), 0, board / 2), size)
        surfaces.append(surface(plank, finish(random, "wood", "wood", "plastic"), bevel=0.003))
    return Target(kind, tuple(surfaces), np.array([0, 0, board + height]), 0.8 * height)


def _loaf(random: Generator) -> tuple[Mesh, float]:
    half, wide = random.uniform(0.035, 0.055), random.uniform(0.045, 0.07)
    length = random.uniform(0.08, 0.15)
    along = np.linspace(-1, 1, 15)
    thick = np.sqrt(np.clip(1 - np.abs(along) ** random.uniform(2.5, 6), 0.05, 1))
    path = np.stack([0 * along, length * along, np.full(15, half)], axis=1)
    radii = np.stack([half * thick, wide * thick], axis=1)
    return sweep(path, radii, 24, power=0.8, up=(0, 0, 1)), 2 * half


def _cucumber(random: Generator) -> tuple[Mesh, float]:
    thick, length = random.uniform(0.015, 0.026), random.uniform(0.08, 0.14)
    along = np.linspace(-1, 1, 17)
    taper = np.sqrt(np.clip(1 - np.abs(along) ** 4, 0.05, 1)) * (1 - random.uniform(0, 0.5) * along)
    taper /= taper.max()
    bend = random.normal(0, 0.012) * along**2
    path = np.stack([bend, length * along, np.full(17, thick)], axis=1)
    return sweep(path, thick * taper, 20, up=(0, 0, 1)), 2 * thick


def _apple(random: Generator) -> tuple[Mesh, float]:
    size, flat = random.uniform(0.03, 0.05), random.uniform(0.8, 1.25)
    angle = np.linspace(-np.pi / 2, np.pi / 2, 20)
    dent = 1 - random.uniform(0, 0.35) * np.exp(-(((angle - np.pi / 2) / 0.4) ** 2))
    radius = np.maximum(size * np.cos(angle), 0)
    radius[[0, -1]] = 0
    profile = np.stack([radius, size * flat * (1 + np.sin(angle) * dent)], axis=1)
    return revolve(profile, 32), float(profile[:, 1].max())


def _cheese(random: Generator) -> tuple[Mesh, float]:
    high = random.uniform(0.035, 0.06)
    return box(
        (0, 0, high / 2), (random.uniform(0.05, 0.09), random.uniform(0.1, 0.16), high)
    ), high


_FOODS: Mapping[str, Callable[[Generator], tuple[Mesh, float]]] = {
    "bread": _loaf,
    "cucumber": _cucumber,
    "fruit": _apple,
    "cheese": _cheese,
}


def build_timber(random: Generator) -> Target:
    """A beam or a log that is sawn or split, its long side along y, raised off the ground."""
    high = float(random.uniform(0.03, 0.08))
    length, lift = random.uniform(0.25, 0.5), float(random.uniform(0.08, 0.16))
    if random.random() < 0.5:
        mesh = box((0, 0, lift + high / 2), (high * random.uniform(0.8, 2.0), length, high))
    else:
        path = [(0, -length / 2, lift + high / 2), (0, length / 2, lift + high / 2)]
        mesh = sweep(path, high / 2, 24, up=(0, 0, 1))
    wood = finish(random, "wood")
    posts = [
        surface(box((0, y * length, lift / 2), (0.06, 0.05, lift)), finish(random, "wood"))
        for y in (-0.36, 0.36)
    ]
    return Target(
        "timber", (surface(mesh, wood), *posts), np.array([0, 0, lift + high]), 0.6 * high
    )


def build_sheet(random: Generator) -> Target:
    """Paper or cloth for scissors: it hangs in the plane z = 0 along +x, cut at its point."""
    length, width = random.uniform(0.14, 0.24), random.uniform(0.14, 0.24)
    rows = np.linspace(-0.02, length, 18)
    sag = random.normal(0, 0.012) * (np.maximum(rows, 0) / length) ** 2
    path = np.stack([rows, 0 * rows, sag], axis=1)
    radii = np.stack([np.full(18, width / 2), np.full(18, 0.0004)], axis=1)
    mesh = sweep(path, radii, 24, power=0.15, up=(0, 1, 0))
    material = finish(random, "paint", "label", "cloth")
    return Target("sheet", (surface(mesh, material),), np.zeros(3))


# ---- hit ---------------------------------------------------------------------------------


def build_nail(random: Generator) -> Target:
    """A nail, a peg or a stake in a piece of wood."""
    wood = float(random.uniform(0.03, 0.09))
    size = (random.uniform(0.12, 0.3), random.uniform(0.1, 0.25), wood)
    block = surface(box((0, 0, wood / 2), size), finish(random, "wood"), bevel=0.002)
    if random.random() < 0.65:
        shaft, high = random.uniform(0.0018, 0.0035), random.uniform(0.02, 0.05)
        profile = [(0, -0.01), (shaft, -0.01), (shaft, high - 0.003), (2.6 * shaft, high - 0.003)]
        mesh = revolve([*profile, (2.6 * shaft, high), (0, high)], 20)
        material = finish(random, "steel", "dark_metal", "brass")
    else:
        shaft, high = random.uniform(0.008, 0.018), random.uniform(0.04, 0.1)
        mesh = revolve([(0, -0.01), (0.8 * shaft, -0.01), (shaft, high), (0, high)], 20)
        material = finish(random, "wood", "painted_metal")
    nail = surface(moved(mesh, (0, 0, wood)), material)
    return Target("nail", (block, nail), np.array([0, 0, wood + high]))


def build_ball(random: Generator) -> Target:
    """A ball that is hit from above, at its top."""
    size = float(random.uniform(0.022, 0.037))
    angle = np.linspace(-np.pi / 2, np.pi / 2, 20)
    radius = np.maximum(size * np.cos(angle), 0)
    radius[[0, -1]] = 0
    mesh = revolve(np.stack([radius, size * (1 + np.sin(angle))], axis=1), 32)
    material = finish(random, "cloth", "plastic", "paint", "rubber")
    return Target("ball", (surface(mesh, material),), np.array([0, 0, 2 * size]))


# ---- pour, stir --------------------------------------------------------------------------


def build_vessel(random: Generator, inner: float = 0.03) -> Target:
    """A cup, glass, bowl or pot that is open above; its point is in the middle of its bottom.

    Args:
        random: decides its form.
        inner: least radius inside, in metres.
    """
    radius = inner * float(random.uniform(1.05, 1.6)) + 0.004
    high = radius * float(random.uniform(0.6, 2.2))
    wall = float(random.uniform(0.002, 0.004))
    share = np.linspace(0, 1, 12)
    foot = float(random.uniform(0.5, 0.95))
    side = radius * (foot + (1 - foot) * share ** float(random.uniform(0.4, 1.2)))
    outer = np.stack([side, high * share], axis=1)
    inside = np.stack([side - wall, np.maximum(high * share, 2 * wall)], axis=1)[::-1]
    body = revolve(np.concatenate([[[0, 0]], outer, inside, [[0, 2 * wall]]]), 40)
    shell = surface(body, finish(random, "ceramic", "porcelain", "glass", "steel", "plastic"))
    level = float(random.uniform(0.25, 0.75)) * high
    surround = float(np.interp(level / high, share, side)) - wall
    liquid = revolve([(0, level - 0.001), (surround, level - 0.001), (surround, level), (0, level)])
    filled = surface(liquid, finish(random, "liquid"))
    return Target("vessel", (shell, filled), np.array([0, 0, 2 * wall]), level)


def stream(spout: Array, heading: Array, bottom: float, random: Generator) -> Surface:
    """What runs out of a spout, in a bow.

    Args:
        spout: (3,) where it leaves.
        heading: (3,) direction it leaves in.
        bottom: height at which it ends.
        random: its thickness and material.
    """
    fall = max(float(spout[2] - bottom), 0.01)
    share = np.linspace(0, 1, 14)[:, None]
    flat = heading * np.array([1.0, 1.0, 0.0]) * stream_reach(fall)
    path = spout + share * flat - share**2 * np.array([0, 0, fall])
    thick = float(random.uniform(0.003, 0.006)) * (1 - 0.4 * share[:, 0])
    return surface(sweep(path, thick, 10, up=(0.3, 0.9, 0)), finish(random, "liquid"))


def stream_reach(fall: float) -> float:
    """How far a stream gets along its heading while it falls, in metres."""
    return 0.25 * float(np.sqrt(fall * 0.1))


# ---- write, brush ------------------------------------------------------------------------


def build_paper(random: Generator) -> Target:
    """A sheet or a notebook with lines of writing that end at its point."""
    width, height = random.uniform(0.12, 0.2), random.uniform(0.16, 0.28)
    thick = float(random.choice([0.001, 0.001, 0.008, 0.018]))
    page = surface(
        box((0, 0, thick / 2), (width, height, thick)), finish(random, "porcelain", "paint")
    )
    ink = finish(random, "dark_plastic", "paint")
    lines = []
    end = np.array([random.uniform(-0.1, 0.3) * width, random.uniform(-0.25, 0.1) * height])
    for row in range(int(random.integers(1, 6))):
        start, stop = -0.42 * width, end[0] if row == 0 else 0.4 * width
        x = np.linspace(start, stop, 60)
        y = end[1] + 0.014 * row + 0.003 * np.sin(x * 900 + row) * random.uniform(0.5, 1, 60)
        path = np.stack([x, y, np.full(60, thick)], axis=1)
        lines.append(surface(sweep(path, 0.0006, 6, up=(0, 0, 1)), ink))
    return Target("paper", (page, *lines), np.array([end[0], end[1], thick]))


def build_canvas(random: Generator) -> Target:
    """A board with a stroke of paint that ends at its point."""
    width, height = random.uniform(0.2, 0.4), random.uniform(0.2, 0.4)
    board = surface(box((0, 0, 0.006), (width, height, 0.012)), finish(random, "wood", "paint"))
    bends = [(-0.35, 0.1), (-0.15, random.uniform(-0.2, 0.2)), (0, random.uniform(-0.1, 0.1))]
    line = curve(np.array([*bends, (0.08, 0.0)]) * width, 24)
    path = np.column_stack([line, np.full(24, 0.0121)])
    radii = np.stack([np.full(24, 0.0008), np.full(24, random.uniform(0.005, 0.014))], axis=1)
    stroke = surface(sweep(path, radii, 12, up=(0, 0, 1)), finish(random, "paint", "plastic"))
    return Target("canvas", (board, stroke), np.array([*line[-1], 0.0125]))


def build_shoe(random: Generator) -> Target:
    """A rounded leather thing that is brushed, met at its top."""
    long, wide, high = random.uniform(0.09, 0.13), random.uniform(0.035, 0.05), 0.05
    along = np.linspace(-1, 1, 15)
    thick = np.sqrt(np.clip(1 - np.abs(along) ** 4, 0.05, 1))
    path = np.stack([long * along, 0 * along, np.full(15, high / 2)], axis=1)
    radii = np.stack([high / 2 * thick * (1 - 0.25 * along), wide * thick], axis=1)
    mesh = sweep(path, radii, 24, power=0.75, up=(0, 0, 1))
    top = float(mesh[0][np.abs(mesh[0][:, 0]) < 0.02, 2].max())
    shape = surface(
        (turned(mesh[0], "z", float(random.uniform(0, 180))), mesh[1]),
        finish(random, "rubber", "plastic", "dark_plastic"),
    )
    return Target("shoe", (shape,), np.array([0, 0, top]))
