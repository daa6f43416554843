"""Things to drink from and to keep things in: mug, glass, wine glass, bottle, jar."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from render_affordances.meshes.geometry import (
    Mesh,
    curve,
    parts_where,
    revolve,
    smooth_step,
    sweep,
)
from render_affordances.meshes.model import Array, Finish, ObjectModel, Surface
from render_affordances.shapes.parts.assembly import assemble, finish, grip, surface
from render_affordances.shapes.parts.handles import SIDE_STYLES, bar_width, middle_of, side_handle

RIM = 0.78
"""A vessel is drunk from at the part above this share of its height."""


def wall_of(outer: Array, height: float, thickness: float) -> Mesh:
    """Make an open vessel from its outer radii, evenly spaced from the foot to the rim."""
    levels = np.linspace(0, height, len(outer))
    inner = np.maximum(outer - thickness, outer * 0.5)
    profile = [(0.0, 0.0), (outer[0] * 0.92, 0.0)]
    profile += list(zip(outer, np.maximum(levels, thickness * 0.4), strict=True))
    profile += [((outer[-1] + inner[-1]) / 2, height + thickness * 0.4)]
    profile += list(zip(inner[::-1], np.maximum(levels[::-1], thickness * 1.5), strict=True))
    return revolve([*profile, (0.0, thickness * 1.5)], 56)


def _mug_radii(random: Generator, family: str, radius: float) -> Array:
    level = np.linspace(0, 1, 26)
    slope = {"tapered": random.uniform(-0.25, -0.1), "conical": random.uniform(0.25, 0.6)}
    radii = radius * (1 + slope.get(family, 0.0) * (level - 0.5))
    if family == "barrel":
        radii = radii * (1 + random.uniform(0.08, 0.22) * np.sin(np.pi * level))
    elif family == "waisted":
        radii = radii * (1 - random.uniform(0.06, 0.15) * np.sin(np.pi * level))
    elif family == "tea_cup":
        radii = radius * (0.5 + 0.55 * np.sqrt(level)) * (1 + 0.12 * level**4)
    return np.asarray(radii)


def build_mug(random: Generator) -> ObjectModel:
    """Build a mug or a cup with a handle."""
    family = str(
        random.choice(
            ["cylindrical", "tapered", "conical", "barrel", "waisted", "tea_cup", "espresso"]
        )
    )
    big = random.uniform(0.75, 1.3) * (0.65 if family == "espresso" else 1.0)
    radius = random.uniform(0.036, 0.046) * big
    height = random.uniform(1.9, 3.0) * radius * (0.7 if family == "tea_cup" else 1.0)
    radii = _mug_radii(random, family, radius)
    body = wall_of(radii, height, random.uniform(0.0025, 0.0055))
    style = str(random.choice(SIDE_STYLES, p=[0.35, 0.25, 0.2, 0.15, 0.05]))
    span = np.sort(random.uniform((0.14, 0.68), (0.32, 0.9)))
    levels = np.linspace(0, 1, len(radii))
    ends = [(float(np.interp(s, levels, radii)) - 0.003, float(s * height)) for s in span]
    reach = random.uniform(0.5, 0.95) * (span[1] - span[0]) * height * 0.75
    reach = float(np.clip(reach, 0.014, 0.042))
    path = side_handle(style, ends[0], ends[1], reach)
    thickness = bar_width(random, 0.0035, 0.0085, 0.45)
    handle = sweep(path, thickness, 18, power=float(random.uniform(0.6, 1.0)))
    material = finish(
        random, "ceramic", "ceramic", "porcelain", "porcelain", "painted_metal", "steel", "plastic"
    )
    other = material if random.random() < 0.75 else finish(random, "ceramic", "plastic", "wood")
    surfaces = [
        surface(body, material, parts_where(body, 2, lambda c: c[:, 2] > RIM * height)),
        surface(handle, other, 1),
    ]
    if random.random() < 0.45:
        fill = float(height * random.uniform(0.55, 0.85))
        inner = float(np.interp(fill / height, levels, radii)) - 0.004
        liquid = revolve([(0, fill), (inner, fill)], 40)
        surfaces.append(surface(liquid, Finish("liquid", int(random.integers(1 << 30)))))
    centre, along = middle_of(path)
    rim_radius = float(radii[-1])
    return assemble(
        "mug",
        family,
        surfaces,
        {"handle": 1, "rim": 2},
        {"hold": ("handle",), "drink_with": ("rim",)},
        {
            "hold": [grip("power", centre, (1, 0, 0), along, 2 * float(thickness[0]))],
            "drink_with": [
                grip("power", centre, (1, 0, 0), along, 2 * float(thickness[0])),
                grip("wrap", (0, 0, height / 2), (0, -1, 0), (0, 0, 1), 2 * rim_radius),
            ],
        },
    )


def _glass_radii(random: Generator, family: str) -> tuple[Array, float]:
    level = np.linspace(0, 1, 30)
    radius = random.uniform(0.03, 0.042)
    if family == "tumbler":
        return radius * (0.82 + random.uniform(0.05, 0.3) * level), radius * random.uniform(2, 3)
    if family == "highball":
        return radius * (0.85 + random.uniform(0, 0.15) * level), radius * random.uniform(3.4, 4.6)
    if family == "beaker":
        flare = random.uniform(0.1, 0.35) * level**3
        return radius * (0.8 + flare + 0.06 * np.sin(3 * level)), radius * random.uniform(2.2, 3.6)
    return radius * (0.75 + 0.4 * level), radius * random.uniform(2.4, 3.4)


def build_glass(random: Generator) -> ObjectModel:
    """Build a drinking vessel without a handle: tumbler, paper cup, wine glass."""
    family = str(random.choice(["tumbler", "highball", "beaker", "paper_cup", "stemmed"]))
    if family == "stemmed":
        return _stemmed_glass(random)
    radii, height = _glass_radii(random, family)
    thickness = float(random.uniform(0.0015, 0.003))
    body = wall_of(radii, height, thickness)
    kinds = ("label", "paint", "plastic") if family == "paper_cup" else ("glass", "glass", "glass")
    material = finish(random, *kinds, "plastic", "steel", "ceramic")
    rim = parts_where(body, 2, lambda c: c[:, 2] > RIM * height)
    levels = np.linspace(0, height, len(radii))

    def outside(centres: Array) -> NDArray[np.bool_]:
        """The outer wall between foot and rim: nobody holds a glass by its inside."""
        across, level = np.hypot(centres[:, 0], centres[:, 1]), centres[:, 2]
        held = (level > 0.15 * height) & (level <= (RIM - 0.03) * height)
        return held & (across > np.interp(level, levels, radii) - thickness / 2)

    waist = parts_where(body, 1, outside)
    surfaces = [surface(body, material, rim + waist)]
    if random.random() < 0.5:
        surfaces.append(_content(random, radii, height, float(random.uniform(0.3, 0.75))))
    width = 2 * float(radii[len(radii) // 2])
    held = grip("wrap", (0, 0, height * 0.45), (0, -1, 0), (0, 0, 1), width)
    return assemble(
        "glass",
        family,
        surfaces,
        {"body": 1, "rim": 2},
        {"hold": ("body",), "drink_with": ("rim",)},
        {"hold": [held], "drink_with": [held]},
    )


def _content(random: Generator, radii: Array, height: float, share: float) -> Surface:
    levels = np.linspace(0, 1, len(radii))
    inside = levels <= share
    wall = [(r - 0.0025, max(z * height, 0.005)) for r, z in zip(radii, levels, strict=True)]
    profile = [(0.0, 0.005), *[w for w, keep in zip(wall, inside, strict=True) if keep]]
    profile.append((0.0, profile[-1][1]))
    return surface(revolve(profile, 40), Finish("liquid", int(random.integers(1 << 30))))


def _stemmed_glass(random: Generator) -> ObjectModel:
    bowl, height = random.uniform(0.028, 0.045), random.uniform(0.15, 0.22)
    stem_top = height * random.uniform(0.35, 0.5)
    stem = random.uniform(0.003, 0.005)
    wide = random.uniform(0.25, 0.6)
    outer = curve(
        [
            (stem, stem_top),
            (bowl * 0.75, stem_top + 0.018),
            (bowl, stem_top + 0.05),
            (bowl * (1 - 0.2 * wide), height),
        ],
        26,
    )
    foot = random.uniform(0.8, 1.05) * bowl
    base = [(0, 0), (foot, 0), (foot, 0.002), (stem * 1.6, 0.006), (stem, 0.012)]
    base += [(stem, z) for z in np.linspace(0.014, stem_top - 0.002, 12)]
    inner = [(max(r - 0.0015, 0.0), z) for r, z in outer[::-1] if z > stem_top + 0.006]
    mesh = revolve([*base, *[tuple(p) for p in outer], *inner, (0, stem_top + 0.006)], 48)
    rim_low = stem_top + RIM * (height - stem_top)
    ids = parts_where(mesh, 2, lambda c: c[:, 2] > rim_low)
    ids += parts_where(mesh, 1, lambda c: (c[:, 2] > 0.01) & (c[:, 2] < stem_top))
    held = grip("pinch", (0, 0, stem_top * 0.6), (0, -1, 0), (0, 0, 1), 2 * stem)
    cup = grip("wrap", (0, 0, (stem_top + height) / 2), (0, -1, 0), (0, 0, 1), 2 * bowl)
    return assemble(
        "glass",
        "stemmed",
        [surface(mesh, finish(random, "glass", "glass", "plastic", "steel"), ids)],
        {"stem": 1, "rim": 2},
        {"hold": ("stem",), "drink_with": ("rim",)},
        {"hold": [held], "drink_with": [cup, held]},
    )


def _bowl_radii(random: Generator, family: str, level: Array) -> Array:
    """Relative radii of the bowl of a stemmed glass, from the stem (0) to the rim (1)."""
    if family == "flute":
        return np.asarray(0.15 + 0.85 * np.minimum(level / 0.3, 1) ** 0.6)
    if family == "cocktail":
        return np.asarray(0.04 + 0.96 * level)
    if family == "coupe":
        return np.asarray(np.sqrt(np.clip(level, 0.0, 1)) * 0.98 + 0.02)
    full = np.sin(np.pi * (0.1 + random.uniform(0.5, 0.62) * level)) ** 0.8
    return np.asarray(full / full.max())


def build_wine_glass(random: Generator) -> ObjectModel:
    """Build a glass on a stem, empty or with wine: for wine, sparkling wine, cocktails."""
    family = str(random.choice(["red", "white", "red", "white", "flute", "cocktail", "coupe"]))
    bowl = {"red": 0.042, "flute": 0.026, "cocktail": 0.05, "coupe": 0.046}.get(family, 0.034)
    bowl *= random.uniform(0.85, 1.15)
    tall = (
        {"flute": 4.6, "cocktail": 1.4, "coupe": 1.2}.get(family, 2.3)
        * bowl
        * random.uniform(0.9, 1.15)
    )
    stem_top, stem = random.uniform(0.065, 0.115), random.uniform(0.0028, 0.0045)
    foot = max(bowl * 0.85, 0.03)
    level = np.linspace(0, 1, 26)
    radii = stem + (bowl - stem) * _bowl_radii(random, family, level)
    heights = stem_top + tall * level
    base = [(0.0, 0.0), (foot, 0.0), (foot * 0.97, 0.0025), (0.012, 0.008)]
    shaft = [
        (stem * (1 + 1.2 * (2 * t - 1) ** 8), 0.012 + t * (stem_top - 0.014))
        for t in np.linspace(0, 1, 14)
    ]
    outer = list(zip(radii, heights, strict=True))
    inner = [(max(r - 0.0013, 0.0), z) for r, z in outer[::-1] if z > stem_top + 0.004]
    mesh = revolve([*base, *shaft, *outer, *inner, (0.0, stem_top + 0.004)], 48)
    rim_low = stem_top + RIM * tall
    ids = parts_where(mesh, 2, lambda c: c[:, 2] > rim_low)
    ids += parts_where(mesh, 1, lambda c: (c[:, 2] > 0.009) & (c[:, 2] < stem_top))
    surfaces = [surface(mesh, finish(random, "glass", "glass", "glass", "glass", "plastic"), ids)]
    if random.random() < 0.6:
        top = random.uniform(0.25, 0.75)
        filled = [
            (max(r - 0.002, 0.001), z) for r, z in outer if 0.03 < (z - stem_top) / tall < top
        ]
        content = [(0.0, filled[0][1]), *filled, (0.0, filled[-1][1])]
        surfaces.append(
            surface(revolve(content, 40), Finish("liquid", int(random.integers(1 << 30))))
        )
    held = grip("pinch", (0, 0, stem_top * 0.6), (0, -1, 0), (0, 0, 1), 2 * stem)
    cup = grip("wrap", (0, 0, stem_top + tall / 2), (0, -1, 0), (0, 0, 1), 2 * bowl)
    return assemble(
        "wine_glass",
        family,
        surfaces,
        {"stem": 1, "rim": 2},
        {"hold": ("stem",), "drink_with": ("rim",)},
        {"hold": [held], "drink_with": [cup, held]},
    )


def _bottle_line(random: Generator, family: str, radius: float, height: float) -> Array:
    """Outline (K, 2) of a bottle from its foot to the top of its neck."""
    neck = random.uniform(0.24, 0.42) * radius
    if family in ("wine", "beer"):
        low, high = (0.6, 0.75) if family == "wine" else (0.5, 0.72)
    elif family == "sports":
        neck, low, high = radius * random.uniform(0.6, 0.85), 0.74, 0.84
    elif family == "flask":
        neck, low, high = radius * random.uniform(0.7, 0.9), 0.8, 0.88
    elif family == "sauce":
        low, high = 0.35, 0.9
    else:
        low, high = random.uniform(0.5, 0.7), random.uniform(0.82, 0.9)
    level = np.linspace(0, 1, 44)
    radii = radius + (neck - radius) * smooth_step(level, low, high)
    if family in ("soda", "sports"):
        waist = random.uniform(0.4, 0.55)
        radii = radii - radius * random.uniform(0.04, 0.16) * np.exp(
            -(((level - waist) / 0.1) ** 2)
        )
    if family == "soda" and random.random() < 0.5:
        radii = radii + radius * 0.025 * np.sin(level * 60) * (level < low)
    return np.column_stack([radii, level * height])


def build_bottle(random: Generator) -> ObjectModel:
    """Build a bottle with a cap."""
    family = str(
        random.choice(["wine", "beer", "water", "soda", "sports", "flask", "sauce", "detergent"])
    )
    radius, height = random.uniform(0.028, 0.042), random.uniform(0.17, 0.29)
    line = _bottle_line(random, family, radius, height)
    profile = [(0.0, 0.0), (radius * 0.9, 0.0), *[tuple(p) for p in line[1:]], (0.0, height)]
    body = revolve(profile, 48)
    shoulder = height * 0.62
    ids = parts_where(body, 2, lambda c: (c[:, 2] > 0.06 * height) & (c[:, 2] < shoulder))
    flat = random.uniform(0.5, 0.75) if family == "detergent" else 1.0
    body = (body[0] * [1.0, flat, 1.0], body[1])
    neck = float(line[-1, 0])
    cap_high = {"wine": 0.04, "sports": 0.03, "flask": 0.045}.get(family, 0.018)
    cap_high *= float(random.uniform(0.8, 1.3))
    cap = _cap(random, neck * random.uniform(1.06, 1.3), height - cap_high * 0.75, cap_high)
    material = finish(random, "glass", "glass", "plastic", "painted_metal", "steel", "ceramic")
    surfaces = [
        surface(body, material, ids),
        surface(cap, finish(random, "plastic", "dark_plastic", "brushed_metal", "wood"), 1),
    ]
    if random.random() < 0.65 and flat == 1.0:
        span = np.sort(random.uniform((0.12, 0.36), (0.26, 0.52))) * height
        levels = np.linspace(span[0], span[1], 12)
        around = [(float(np.interp(z, line[:, 1], line[:, 0])) * 1.012, z) for z in levels]
        surfaces.append(surface(revolve(around, 48), finish(random, "label", "label", "paint"), 2))
    held = grip("wrap", (0, 0, height * 0.36), (0, -1, 0), (0, 0, 1), 2 * radius)
    top = height + cap_high * 0.25
    return assemble(
        "bottle",
        family,
        surfaces,
        {"cap": 1, "body": 2},
        {"open": ("cap",), "hold": ("body",)},
        {
            "open": [grip("twist", (0, 0, top - cap_high / 2), (0, 0, 1), (1, 0, 0), 2.3 * neck)],
            "hold": [held],
        },
    )


def _cap(random: Generator, radius: float, low: float, high: float) -> Mesh:
    top = radius * random.uniform(0.85, 1.0)
    profile = [(0, low), (radius, low), (radius, low + high * 0.3), (top, low + high * 0.9)]
    if random.random() < 0.25:
        nipple = radius * random.uniform(0.35, 0.6)
        profile += [(nipple, low + high), (nipple, low + high * 1.5), (0, low + high * 1.55)]
    else:
        profile += [(top * 0.9, low + high), (0, low + high)]
    return revolve(profile, 40)


def build_jar(random: Generator) -> ObjectModel:
    """Build a jar, a tin or a cooking pot with a lid."""
    family = str(random.choice(["screw_lid", "tall", "round", "canister", "knob_lid"]))
    radius = random.uniform(0.034, 0.06)
    height = radius * random.uniform(1.4, 2.4) * (1.5 if family == "tall" else 1.0)
    level = np.linspace(0, 1, 26)
    radii = radius * (1 - random.uniform(0.0, 0.25) * smooth_step(level, 0.8, 0.98))
    if family == "round":
        radii = radii * (0.8 + 0.25 * np.sin(np.pi * np.clip(level * 0.95, 0, 1)))
    if family in ("canister", "knob_lid"):
        radii = np.full(26, radius)
    side = [tuple(p) for p in np.column_stack([radii, level * height])[1:]]
    body = revolve([(0, 0), (radii[0] * 0.93, 0), *side, (0, height)], 52)
    lid_low = height - random.uniform(0.002, 0.008)
    lid_high = random.uniform(0.012, 0.022)
    wide = float(radii[-1]) * random.uniform(1.02, 1.12)
    lid_line = [(0, lid_low), (wide, lid_low), (wide, lid_low + lid_high * 0.85)]
    lid_line += [(wide * 0.95, lid_low + lid_high), (0, lid_low + lid_high)]
    point, width = np.array([0, 0, lid_low + lid_high / 2]), 2 * wide
    if family == "knob_lid":
        knob, base = random.uniform(0.008, 0.014), lid_low + lid_high
        lid_line = [*lid_line[:-1], (knob * 0.6, base + 0.002), (knob * 0.6, base + 0.01)]
        lid_line += [(knob, base + 0.016), (knob * 0.8, base + 0.026), (0, base + 0.028)]
        point, width = np.array([0, 0, base + 0.018]), 2 * knob
    material = finish(random, "glass", "glass", "ceramic", "painted_metal", "plastic", "porcelain")
    ids = parts_where(body, 2, lambda c: (c[:, 2] > 0.08 * height) & (c[:, 2] < 0.8 * height))
    surfaces = [
        surface(body, material, ids),
        surface(
            revolve(lid_line, 48),
            finish(random, "painted_metal", "plastic", "brass", "wood", "steel", "ceramic"),
            1,
        ),
    ]
    if random.random() < 0.5:
        levels = np.linspace(height * 0.2, height * 0.65, 10)
        around = [(float(np.interp(z, level * height, radii)) * 1.01, z) for z in levels]
        surfaces.append(surface(revolve(around, 48), finish(random, "label"), 2))
    return assemble(
        "jar",
        family,
        surfaces,
        {"lid": 1, "body": 2},
        {"open": ("lid",), "hold": ("body",)},
        {
            "open": [grip("twist", point, (0, 0, 1), (1, 0, 0), width)],
            "hold": [grip("wrap", (0, 0, height * 0.45), (0, -1, 0), (0, 0, 1), 2 * radius)],
        },
    )
