"""Neutral things that stand about and afford none of the actions: books, fruit, boxes, plates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import (
    Mesh,
    box,
    curve,
    extrude,
    merge,
    moved,
    revolve,
    rounded_rectangle,
    sweep,
    turned,
)
from render_affordances.meshes.model import ObjectModel, Surface
from render_affordances.shapes.parts.assembly import assemble, finish, surface


def _prop(family: str, surfaces: list[Surface], support: str = "table") -> ObjectModel:
    return assemble("prop", family, surfaces, {}, {}, {}, support=support)


def _book(random: Generator) -> list[Surface]:
    surfaces, height = [], 0.0
    for _ in range(int(random.integers(1, 4))):
        wide, deep, thick = random.uniform(0.12, 0.2), random.uniform(0.16, 0.26), 0.01
        thick += random.uniform(0.0, 0.03)
        degrees = float(random.uniform(-12, 12))
        cover = box((0, 0, height + thick / 2), (wide, deep, thick))
        pages = box((0.004, 0, height + thick / 2), (wide, deep * 0.985, thick * 0.8))
        for mesh, kinds in ((cover, ("label", "cloth", "paint")), (pages, ("porcelain",))):
            points = turned(mesh[0], "z", degrees)
            surfaces.append(surface((points, mesh[1]), finish(random, *kinds), smooth=False))
        height += thick
    return surfaces


def _fruit(random: Generator) -> list[Surface]:
    surfaces = []
    for _ in range(int(random.integers(1, 4))):
        radius = random.uniform(0.028, 0.05)
        s = np.linspace(-1, 1, 16)
        line = np.column_stack([radius * np.sqrt(1 - s**2), radius * s + radius])
        line[:, 1] *= random.uniform(0.85, 1.3)
        at = (*random.uniform(-0.07, 0.07, 2), 0.0)
        surfaces.append(surface(moved(revolve(line, 28), at), finish(random, "fruit")))
    return surfaces


def _carton(random: Generator) -> list[Surface]:
    size = random.uniform(0.05, 0.16, 3)
    mesh = box((0, 0, size[2] / 2), size)
    kinds = ("label", "paint", "wood", "plastic", "cloth")
    return [surface(mesh, finish(random, *kinds), smooth=False, bevel=0.002)]


def _plate(random: Generator) -> list[Surface]:
    radius = random.uniform(0.07, 0.13)
    rise = random.uniform(0.012, 0.022)
    line = [(0, 0), (radius * 0.55, 0), (radius, rise), (radius * 0.99, rise + 0.003)]
    line += [(radius * 0.55, 0.004), (0, 0.004)]
    return [surface(revolve(line, 48), finish(random, "porcelain", "ceramic", "wood"))]


def _ball(random: Generator) -> list[Surface]:
    radius = random.uniform(0.025, 0.06)
    s = np.linspace(-1, 1, 18)
    mesh = revolve(np.column_stack([radius * np.sqrt(1 - s**2), radius * (1 + s)]), 32)
    return [surface(mesh, finish(random, "rubber", "plastic", "label", "cloth"))]


def _loaf(random: Generator) -> list[Surface]:
    s = np.linspace(-1, 1, 20)
    long = random.uniform(0.08, 0.14)
    wide = random.uniform(0.04, 0.055) * (1 - np.abs(s) ** 4) ** 0.5 + 0.001
    path = np.column_stack([long * s, 0 * s, 0 * s + 0.04])
    mesh = sweep(path, np.column_stack([wide * 0.8, wide]), 22, up=(0, 0, 1))
    return [surface(mesh, finish(random, "bread"))]


def _cloth(random: Generator) -> list[Surface]:
    count = 16
    x, y = np.meshgrid(np.linspace(-0.1, 0.1, count), np.linspace(-0.08, 0.08, count))
    waves = random.uniform(15, 45, 4)
    z = 0.006 * (np.sin(waves[0] * x + waves[1] * y) + np.sin(waves[2] * y - waves[3] * x)) + 0.013
    points = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    faces: list[tuple[int, ...]] = [
        (i * count + j, i * count + j + 1, (i + 1) * count + j + 1, (i + 1) * count + j)
        for i in range(count - 1)
        for j in range(count - 1)
    ]
    return [surface((points, faces), finish(random, "cloth"))]


def _plant(random: Generator) -> list[Surface]:
    pot = [(0, 0), (0.035, 0), (0.048, 0.075), (0.044, 0.075), (0.04, 0.065), (0, 0.065)]
    leaves: list[Mesh] = []
    for degrees in np.linspace(0, 360, int(random.integers(6, 14)), endpoint=False):
        reach, rise = random.uniform(0.04, 0.09), random.uniform(0.05, 0.14)
        line = curve(
            [(0, 0, 0.06), (reach * 0.4, 0, 0.06 + rise), (reach, 0, 0.06 + rise * 0.8)], 12
        )
        wide = 0.002 + 0.014 * np.sin(np.linspace(0.1, np.pi, 12))
        leaf = sweep(line, np.column_stack([wide, np.full(12, 0.0008)]), 6)
        leaves.append((turned(leaf[0], "z", float(degrees)), leaf[1]))
    green = finish(random, "fruit", "plastic")
    return [
        surface(revolve(pot, 32), finish(random, "ceramic", "porcelain", "plastic")),
        surface(merge(*leaves), green),
    ]


def _stones(random: Generator) -> list[Surface]:
    surfaces = []
    for _ in range(int(random.integers(2, 6))):
        s = np.linspace(-1, 1, 9)
        mesh = revolve(np.column_stack([np.sqrt(1 - s**2), 1 + s]), 10)
        size = random.uniform(0.008, 0.028, 3)
        points = mesh[0] * size * (1 + 0.12 * np.sin(mesh[0] @ random.uniform(-5, 5, (3, 3))))
        at = (*random.uniform(-0.06, 0.06, 2), 0.0)
        kinds = ("paint", "ceramic", "wood")
        surfaces.append(surface(moved((points, mesh[1]), at), finish(random, *kinds)))
    return surfaces


def _cable(random: Generator) -> list[Surface]:
    corners = np.column_stack([random.uniform(-0.13, 0.13, (6, 2)), np.full(6, 0.004)])
    mesh = sweep(curve(corners, 70), 0.003, 8, up=(0, 0, 1))
    return [surface(mesh, finish(random, "dark_plastic", "plastic", "rubber"))]


def _sponge(random: Generator) -> list[Surface]:
    outline = rounded_rectangle(0.1, 0.065, 0.01)
    high = random.uniform(0.02, 0.035)
    return [
        surface(extrude(outline, high), finish(random, "cloth", "plastic", "bristle"), smooth=False)
    ]


def _candle(random: Generator) -> list[Surface]:
    radius, high = random.uniform(0.012, 0.04), random.uniform(0.05, 0.14)
    mesh = revolve(
        [(0, 0), (radius, 0), (radius, high), (radius * 0.9, high - 0.003), (0, high - 0.005)]
    )
    return [surface(mesh, finish(random, "paint", "porcelain", "fruit"))]


_STANDING: tuple[Callable[[Generator], list[Surface]], ...] = (
    _book,
    _fruit,
    _carton,
    _plate,
    _ball,
    _loaf,
    _cloth,
    _plant,
    _stones,
    _cable,
    _sponge,
    _candle,
)


def build_prop(random: Generator) -> ObjectModel:
    """Build something that stands on a table and affords nothing."""
    maker = _STANDING[int(random.integers(len(_STANDING)))]
    return _prop(maker.__name__.strip("_"), maker(random))


def build_picture(random: Generator) -> ObjectModel:
    """Build a picture, a poster, a sign or a shallow box to hang on a wall, facing -y."""
    wide, high = random.uniform(0.06, 0.2, 2)
    depth = random.uniform(0.003, 0.03)
    surfaces = [
        surface(
            box((0, 0, high / 2), (wide, depth, high)),
            finish(random, "label", "paint", "wood"),
            smooth=False,
        )
    ]
    if random.random() < 0.5:
        inner = box((0, -depth / 2, high / 2), (wide * 0.8, 0.003, high * 0.8))
        surfaces.append(
            surface(inner, finish(random, "label", "screen", "porcelain"), smooth=False)
        )
    return _prop("picture", surfaces, "wall")
