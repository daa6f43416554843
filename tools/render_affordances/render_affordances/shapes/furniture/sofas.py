"""Upholstered things to sit on: sofa, armchair, bench."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import Mesh, box, merge, moved, revolve, sweep
from render_affordances.meshes.model import Finish, Grip, ObjectModel, Surface
from render_affordances.shapes.parts.assembly import assemble, finish, grip, surface
from render_affordances.shapes.parts.padding import leaning, padded, pillow, upholstery, upright

SOFAS = ("boxy", "rolled", "slim", "wooden", "corner")


@dataclass(frozen=True)
class _Sizes:
    """Of an upholstered seat, in metres.

    Attributes:
        seats: how many cushions side by side.
        wide: of one cushion.
        deep: of the cushions.
        high: top of the cushions above the floor.
        thick: of the cushions.
        back: top of the back above the cushions.
        arm: width of an arm.
        rise: top of the arms above the cushions.
        lean: of the back, in degrees.
    """

    seats: int
    wide: float
    deep: float
    high: float
    thick: float
    back: float
    arm: float
    rise: float
    lean: float

    @property
    def span(self) -> float:
        """Width between the arms."""
        return self.seats * self.wide


def _drawn_sizes(random: Generator, seats: int, family: str) -> _Sizes:
    slim = family in ("slim", "wooden")
    return _Sizes(
        seats,
        random.uniform(0.5, 0.72),
        random.uniform(0.5, 0.66),
        random.uniform(0.36, 0.47),
        random.uniform(0.08, 0.13) if slim else random.uniform(0.11, 0.2),
        random.uniform(0.28, 0.55),
        random.uniform(0.04, 0.09) if slim else random.uniform(0.12, 0.26),
        random.uniform(0.12, 0.28),
        random.uniform(4, 16),
    )


def _seat_cushions(
    size: _Sizes, random: Generator, cover: Finish
) -> tuple[list[Surface], list[Grip]]:
    """The cushions one sits on, part 1: one each, or one for all."""
    whole = size.seats > 1 and random.random() < 0.2
    count, wide = (1, size.span) if whole else (size.seats, size.wide)
    puff, gap = random.uniform(0.0, 0.05), random.uniform(0.004, 0.014)
    surfaces = []
    grips = []
    for k in range(count):
        x = (k - (count - 1) / 2) * wide
        mesh = padded((wide - gap, size.deep, size.thick - puff * 0.5), puff, 0.05)
        surfaces.append(surface(moved(mesh, (x, 0, size.high - size.thick)), cover, 1))
    for k in range(size.seats):
        x = (k - (size.seats - 1) / 2) * size.wide
        point = (x, -0.05 * size.deep, size.high + puff * 0.4)
        grips.append(grip("palm", point, (0, 0, 1), (0, 1, 0), 0.3))
    return surfaces, grips


def _back(size: _Sizes, random: Generator, cover: Finish, frame: Finish) -> list[Surface]:
    """The back behind the cushions, mostly with cushions of its own."""
    tall = size.back + size.thick
    rear = size.deep / 2
    thick = random.uniform(0.07, 0.16)
    board = leaning(box((0, thick / 2, tall / 2), (size.span + 0.02, thick, tall)), size.lean)
    surfaces = [
        surface(moved(board, (0, rear, size.high - size.thick)), frame, smooth=False, bevel=0.03)
    ]
    style = random.random()
    if style < 0.7:
        depth = random.uniform(0.08, 0.16)
        for k in range(size.seats):
            x = (k - (size.seats - 1) / 2) * size.wide
            block = padded((size.wide - 0.015, size.back * 1.02, depth * 0.6), depth * 0.4, 0.06)
            mesh = upright(block)
            mesh = moved(mesh, (0, 0.02, size.back * 0.51))
            mesh = moved(leaning(mesh, size.lean), (x, rear, size.high + 0.004))
            surfaces.append(surface(mesh, cover))
    return surfaces


def _arms(size: _Sizes, random: Generator, family: str, cover: Finish) -> list[Surface]:
    """Two arms, or one where the sofa goes round a corner."""
    depth = size.deep + random.uniform(0.02, 0.12)
    top, low = size.high + size.rise, size.high - size.thick - 0.02
    sides = (-1, 1) if family != "corner" else (int(random.choice([-1, 1])),)
    meshes: list[Mesh] = []
    for side in sides:
        x = side * (size.span / 2 + size.arm / 2 + 0.004)
        if family == "wooden":
            plank = box((x, 0.02, top), (size.arm + 0.03, depth, 0.03))
            posts = [box((x, y, top / 2), (0.045, 0.05, top)) for y in (-depth * 0.42, depth * 0.4)]
            meshes += [plank, *posts]
        elif family == "rolled":
            radius = size.arm * 0.62
            meshes.append(
                moved(padded((size.arm * 0.75, depth, top - low - radius), 0.0), (x, 0.03, low))
            )
            line = np.linspace(
                (x + side * 0.02, 0.03 - depth / 2, top - radius),
                (x + side * 0.02, 0.03 + depth / 2, top - radius),
                8,
            )
            swell = radius * np.array([0.86, 0.97, 1, 1, 1, 1, 1, 0.95])
            meshes.append(sweep(line, swell, 24, up=(0, 0, 1)))
        else:
            mesh = padded((size.arm, depth, top - low), random.uniform(0, 0.02), 0.03)
            meshes.append(moved(mesh, (x, 0.03, low)))
    return [surface(one, cover, bevel=0.0) for one in meshes]


def _base(size: _Sizes, random: Generator, family: str, cover: Finish) -> list[Surface]:
    """What the cushions lie on, and its feet."""
    under = size.high - size.thick
    wide = size.span + (0 if family == "wooden" else 1.6 * size.arm)
    feet_high = (
        random.uniform(0.1, 0.18) if family in ("slim", "wooden") else random.uniform(0.0, 0.08)
    )
    frame = finish(random, "wood", "wood", "dark_metal", "steel")
    thick = under - feet_high if family != "wooden" else 0.07
    body = box((0, 0.02, under - thick / 2 - 0.002), (wide, size.deep + 0.02, thick))
    surfaces = [surface(body, frame if family == "wooden" else cover, smooth=False, bevel=0.012)]
    if feet_high > 0.02 or family == "wooden":
        reach = under - 0.01 if family == "wooden" else feet_high + 0.02
        feet = [
            moved(
                revolve([(0, 0), (0.016, 0), (0.024, reach), (0, reach)], 14),
                (x * (wide / 2 - 0.06), y * (size.deep / 2 - 0.05) + 0.02, 0),
            )
            for x in (-1, 1)
            for y in (-1, 1)
        ]
        surfaces.append(surface(merge(*feet), frame))
    return surfaces


def _chaise(size: _Sizes, random: Generator, cover: Finish) -> list[Surface]:
    """The long seat of a corner sofa, running forward on one side; part 1 on top."""
    side = int(random.choice([-1, 1]))
    wide, deep = size.wide * random.uniform(1.0, 1.2), random.uniform(0.5, 0.9)
    x = side * (size.span / 2 - wide / 2)
    y = -size.deep / 2 - deep / 2
    top = padded((wide - 0.01, deep, size.thick), 0.01, 0.05)
    under = size.high - size.thick
    return [
        surface(moved(top, (x, y, under)), cover, 1),
        surface(
            box((x, y, under / 2 + 0.02), (wide, deep, under - 0.04)),
            cover,
            smooth=False,
            bevel=0.012,
        ),
    ]


def _upholstered(name: str, random: Generator, seats: int, family: str) -> ObjectModel:
    size = _drawn_sizes(random, seats, family)
    cover = upholstery(random)
    cushions = cover if random.random() < 0.75 else upholstery(random)
    seat, grips = _seat_cushions(size, random, cushions)
    surfaces = [*seat, *_base(size, random, family, cover)]
    surfaces += _back(size, random, cushions, cover)
    wood = finish(random, "wood", "wood", "paint")
    surfaces += _arms(size, random, family, wood if family == "wooden" else cover)
    if family == "corner":
        surfaces += _chaise(size, random, cushions)
    for _ in range(int(random.choice([0, 1, 2, 3], p=[0.4, 0.25, 0.2, 0.15]))):
        x = random.uniform(-0.5, 0.5) * max(size.span - 0.35, 0.05)
        at = np.array([x, size.deep / 2 - random.uniform(0.1, 0.22), size.high + 0.01])
        surfaces.append(pillow(random, at, size.lean + float(random.uniform(4, 18))))
    return assemble(
        name,
        family,
        surfaces,
        {"seat": 1},
        {"sit_on": ("seat",)},
        {"sit_on": grips},
        support="floor",
    )


def build_sofa(random: Generator) -> ObjectModel:
    """Build a sofa of two to four seats."""
    family = str(random.choice(SOFAS))
    return _upholstered("sofa", random, int(random.choice([2, 2, 3, 3, 4])), family)


def build_armchair(random: Generator) -> ObjectModel:
    """Build an upholstered chair with arms."""
    return _upholstered("armchair", random, 1, str(random.choice(SOFAS[:4])))


def _slats(random: Generator, long: float, deep: float, high: float) -> tuple[Mesh, float]:
    """Boards side by side, and how thick they are."""
    count, thick = int(random.integers(3, 8)), random.uniform(0.018, 0.035)
    pitch = deep / count
    boards = [
        box((0, (k - (count - 1) / 2) * pitch, high - thick / 2), (long, pitch * 0.82, thick))
        for k in range(count)
    ]
    return merge(*boards), thick


def _bench_frame(
    random: Generator, long: float, deep: float, high: float, back: float
) -> list[Mesh]:
    """Side frames with feet, and arms where there is a back."""
    meshes = []
    for x in np.linspace(-0.44, 0.44, 2 if long < 1.5 else int(random.integers(2, 4))) * long:
        meshes += [
            box((x, y * deep * 0.4, high / 2 - 0.01), (0.05, 0.05, high - 0.02)) for y in (-1, 1)
        ]
        meshes.append(box((x, 0, high - 0.05), (0.045, deep * 0.85, 0.05)))
        if back > 0:
            post = leaning(box((0, 0, back / 2), (0.045, 0.04, back + 0.06)), 10)
            meshes.append(moved(post, (x, deep * 0.42, high)))
            if random.random() < 0.5:
                meshes.append(box((x, 0, high + 0.2), (0.06, deep * 0.9, 0.03)))
                meshes.append(box((x, -deep * 0.4, high + 0.09), (0.045, 0.045, 0.2)))
    return meshes


def build_bench(random: Generator) -> ObjectModel:
    """Build a bench of slats, planks or stone, or an upholstered one."""
    family = str(random.choice(["park", "park", "slatted", "plank", "upholstered", "stone"]))
    long, deep = random.uniform(0.9, 2.0), random.uniform(0.32, 0.5)
    high, back = random.uniform(0.38, 0.48), random.uniform(0.3, 0.45)
    wood = finish(random, "wood", "wood", "wood", "paint", "painted_metal")
    frame = finish(random, "dark_metal", "wood", "painted_metal", "steel")
    if family == "stone":
        wood = frame = finish(random, "ceramic", "paint", "porcelain")
    surfaces: list[Surface] = []
    if family in ("park", "slatted"):
        seat, _ = _slats(random, long, deep, high)
        surfaces.append(surface(seat, wood, 1, smooth=False, bevel=0.004))
        surfaces.append(
            surface(
                merge(*_bench_frame(random, long, deep, high, back if family == "park" else 0.0)),
                frame,
                smooth=False,
                bevel=0.004,
            )
        )
        if family == "park":
            boards, _ = _slats(random, long, back, 0.0)
            lying = moved(
                leaning((boards[0][:, [0, 2, 1]] * [1, -1, 1], [f[::-1] for f in boards[1]]), 10),
                (0, deep * 0.42 - 0.02, high + back * 0.55),
            )
            surfaces.append(surface(lying, wood, smooth=False, bevel=0.004))
    else:
        thick = random.uniform(0.04, 0.1)
        block = padded((long, deep, thick), 0.02 if family == "upholstered" else 0.0, 0.02)
        top = upholstery(random) if family == "upholstered" else wood
        surfaces.append(surface(moved(block, (0, 0, high - thick)), top, 1))
        side = 0.05 if family == "upholstered" else random.uniform(0.05, 0.25)
        legs = [
            box(
                (x * (long / 2 - side * 0.8), 0, (high - thick) / 2),
                (side, deep * 0.85, high - thick),
            )
            for x in (-1, 1)
        ]
        surfaces.append(surface(merge(*legs), frame, smooth=False, bevel=0.006))
    held = grip("palm", (0, 0, high), (0, 0, 1), (0, 1, 0), 0.3)
    return assemble(
        "bench",
        family,
        surfaces,
        {"seat": 1},
        {"sit_on": ("seat",)},
        {"sit_on": [held]},
        support="floor",
    )
