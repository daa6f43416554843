"""Shaders for the finishes of `model.FINISHES`. Runs in Blender."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from typing import Any

import numpy as np

from render_affordances.meshes.model import Finish
from render_affordances.scenes.shaders import Colour, Shader, colour, grey


def build_material(finish: Finish, scale: float) -> Any:
    """Make the material of a finish.

    Args:
        finish: kind and seed; the same pair always looks the same.
        scale: characteristic size of the object in metres; textures scale with it.

    Returns:
        A `bpy.types.Material`.
    """
    random = np.random.default_rng(finish.seed)
    shader = Shader(f"{finish.kind}_{finish.seed}", random, max(scale, 1e-3))
    _RECIPES.get(finish.kind, _plastic)(shader)
    return shader.material


def _pattern(shader: Shader, base: Colour) -> None:
    """Stripes, dots, blotches or a second colour on top of a base colour."""
    random = shader.random
    kind = str(random.choice(["Wave", "Voronoi", "Noise", "Checker", "Magic"]))
    frequency = float(random.uniform(1.5, 9))
    if kind == "Wave":
        source = shader.texture("Wave", frequency, Distortion=float(random.uniform(0, 6)))
    elif kind == "Checker":
        source = shader.texture("Checker", frequency * 2)
    else:
        source = shader.texture(kind, frequency)
    other = colour(random)
    cut = float(random.uniform(0.35, 0.55))
    stops = [(0.0, base), (cut, other)]
    if random.random() < 0.3:
        stops.append((min(cut + 0.15, 0.95), colour(random)))
    shader.link(shader.ramp(source, stops, sharp=bool(random.random() < 0.7)), "Base Color")


def _plastic(shader: Shader) -> None:
    random = shader.random
    base = colour(random) if random.random() < 0.75 else grey(float(random.uniform(0.3, 0.85)))
    shader.set(Base_Color=base, Roughness=float(random.uniform(0.12, 0.6)))
    if random.random() < 0.18:
        _pattern(shader, base)


def _dark_plastic(shader: Shader) -> None:
    random = shader.random
    base = grey(float(random.uniform(0.008, 0.06)), float(random.uniform(-0.2, 0.2)))
    shader.set(Base_Color=base, Roughness=float(random.uniform(0.2, 0.6)))


def _rubber(shader: Shader) -> None:
    random = shader.random
    base = grey(float(random.uniform(0.01, 0.1))) if random.random() < 0.5 else colour(random)
    shader.set(Base_Color=base, Roughness=float(random.uniform(0.6, 0.9)))


def _metal(value: tuple[float, float], roughness: tuple[float, float]) -> Callable[[Shader], None]:
    def recipe(shader: Shader) -> None:
        random = shader.random
        base = grey(float(random.uniform(*value)), float(random.uniform(-0.04, 0.06)))
        rough = float(random.uniform(*roughness))
        shader.set(Base_Color=base, Metallic=1.0, Roughness=rough)
        if random.random() < 0.5:
            source = shader.texture("Noise", float(random.uniform(3, 10)))
            low, high = grey(rough * 0.7), grey(min(rough * 1.4, 1.0))
            shader.link(shader.ramp(source, [(0.3, low), (0.7, high)]), "Roughness")

    return recipe


def _brushed_metal(shader: Shader) -> None:
    random = shader.random
    value = float(random.uniform(0.4, 0.75))
    stretched = shader.mapped(shader.vector, (1.0, 14.0, 14.0))
    source = shader.texture("Noise", 6.0, stretched, Detail=3.0)
    stops = [(0.3, grey(value * 0.8)), (0.7, grey(min(value * 1.15, 1.0)))]
    shader.link(shader.ramp(source, stops), "Base Color")
    shader.set(Metallic=1.0, Roughness=float(random.uniform(0.25, 0.45)))


def _brass(shader: Shader) -> None:
    random = shader.random
    base = colour(random, (0.5, 0.75), (0.45, 0.85), (0.04, 0.13))
    shader.set(Base_Color=base, Metallic=1.0, Roughness=float(random.uniform(0.12, 0.4)))


def _painted_metal(shader: Shader) -> None:
    random = shader.random
    base = colour(random, (0.3, 1.0), (0.1, 0.85))
    if random.random() < 0.3:
        base = grey(float(random.uniform(0.02, 0.85)))
    shader.set(Base_Color=base, Roughness=float(random.uniform(0.15, 0.5)))
    shader.set(Metallic=float(random.choice([0.0, 0.0, 0.6])), Coat_Weight=0.4)
    if random.random() < 0.15:
        _pattern(shader, base)


def _ceramic(shader: Shader) -> None:
    random = shader.random
    base = colour(random, (0.05, 0.8), (0.15, 0.95))
    shader.set(Base_Color=base, Roughness=float(random.uniform(0.08, 0.45)), Coat_Weight=0.4)
    if random.random() < 0.4:
        _pattern(shader, base)


def _porcelain(shader: Shader) -> None:
    random = shader.random
    base = grey(float(random.uniform(0.6, 0.92)), float(random.uniform(-0.03, 0.08)))
    shader.set(Base_Color=base, Roughness=float(random.uniform(0.06, 0.25)), Coat_Weight=0.3)
    if random.random() < 0.2:
        _pattern(shader, base)


def _wood(shader: Shader) -> None:
    random = shader.random
    grain = [(1.0, 9.0, 9.0), (9.0, 1.0, 9.0)][int(random.random() < 0.25)]
    stretched = shader.mapped(shader.vector, grain)
    source = shader.texture(
        "Noise", float(random.uniform(0.5, 1.4)), stretched, Detail=4.0, Distortion=1.0
    )
    hue, value = float(random.uniform(0.03, 0.11)), float(random.uniform(0.08, 0.65))
    saturation = float(random.uniform(0.35, 0.75))
    light = (*colorsys.hsv_to_rgb(hue, saturation, value), 1.0)
    dark = (*colorsys.hsv_to_rgb(hue * 0.9, min(saturation * 1.15, 1), value * 0.55), 1.0)
    shader.link(shader.ramp(source, [(0.3, dark), (0.7, light)]), "Base Color")
    shader.set(Roughness=float(random.uniform(0.25, 0.65)))


def _paint(shader: Shader) -> None:
    random = shader.random
    base = colour(random, (0.0, 0.6), (0.25, 0.9))
    if random.random() < 0.4:
        base = grey(float(random.uniform(0.5, 0.9)), float(random.uniform(-0.04, 0.08)))
    shader.set(Base_Color=base, Roughness=float(random.uniform(0.35, 0.8)))


def _label(shader: Shader) -> None:
    _pattern(shader, colour(shader.random, (0.0, 0.9), (0.3, 0.95)))
    shader.set(Roughness=float(shader.random.uniform(0.3, 0.7)))


def _cloth(shader: Shader) -> None:
    random = shader.random
    base = colour(random, (0.05, 0.85), (0.04, 0.8))
    shader.set(Base_Color=base, Roughness=0.95)
    if random.random() < 0.45:
        _pattern(shader, base)
    shader.bump(shader.texture("Noise", 30.0), 0.3, shader.scale * 0.01)


def _leather(shader: Shader) -> None:
    random = shader.random
    base = colour(random, (0.4, 0.9), (0.03, 0.4), (0.0, 0.09))
    if random.random() < 0.55:
        base = grey(float(random.choice([0.012, 0.03, 0.25, 0.75])), float(random.uniform(0, 0.12)))
    shader.set(Base_Color=base, Roughness=float(random.uniform(0.3, 0.55)))
    shader.bump(shader.texture("Noise", 25.0, Detail=3.0), 0.25, shader.scale * 0.01)


def _enamel(shader: Shader) -> None:
    """Plain white, grey, black or pastel, as appliances are."""
    random = shader.random
    base = grey(float(random.choice([0.015, 0.2, 0.6, 0.85])), float(random.uniform(-0.03, 0.1)))
    if random.random() < 0.2:
        base = colour(random, (0.1, 0.5), (0.2, 0.8))
    shader.set(Base_Color=base, Roughness=float(random.uniform(0.1, 0.45)))


def _fabric(shader: Shader) -> None:
    """Cloth in the quiet colours of furniture, plain, striped or checked in two of its tones."""
    random = shader.random
    hue = float(random.choice([0.06, 0.09, 0.12, 0.6, 0.35, 0.0]))
    base = colour(random, (0.0, 0.5), (0.03, 0.7), (hue - 0.02, hue + 0.02))
    shader.set(Base_Color=base, Roughness=0.95)
    if random.random() < 0.3:
        kind = str(random.choice(["Wave", "Checker", "Noise"]))
        factor = float(random.choice([0.45, 0.7, 1.5]))
        red, green, blue = (min(c * factor + 0.01, 1.0) for c in base[:3])
        other = (red, green, blue, 1.0)
        source = shader.texture(kind, float(random.uniform(6, 30)))
        shader.link(shader.ramp(source, [(0.4, base), (0.6, other)]), "Base Color")
    shader.bump(shader.texture("Noise", 40.0), 0.3, shader.scale * 0.006)


def _plaster(shader: Shader) -> None:
    """A painted wall: white, cream, grey or a quiet colour."""
    random = shader.random
    base = grey(float(random.uniform(0.45, 0.85)), float(random.uniform(-0.03, 0.15)))
    if random.random() < 0.35:
        base = colour(random, (0.08, 0.4), (0.25, 0.75))
    shader.set(Base_Color=base, Roughness=float(random.uniform(0.6, 0.95)))


def _leaf(shader: Shader) -> None:
    random = shader.random
    base = colour(random, (0.4, 0.85), (0.05, 0.4), (0.2, 0.38))
    shader.set(Base_Color=base, Roughness=float(random.uniform(0.3, 0.6)))


def _tiles(shader: Shader) -> None:
    """Square or long tiles with joints, or boards."""
    random = shader.random
    node = shader.tree.nodes.new("ShaderNodeTexBrick")
    source = shader.tree.nodes.new("ShaderNodeTexCoord").outputs["Object"]
    turned = shader.tree.nodes.new("ShaderNodeMapping")
    turned.inputs["Rotation"].default_value = (
        float(random.choice([0.0, np.pi / 2])),
        0.0,
        float(random.uniform(0, 0.5)),
    )
    shader.tree.links.new(source, turned.inputs["Vector"])
    shader.tree.links.new(turned.outputs["Vector"], node.inputs["Vector"])
    node.inputs["Scale"].default_value = float(random.uniform(4, 14)) / shader.scale
    node.inputs["Mortar Size"].default_value = float(random.uniform(0.005, 0.03))
    node.offset = float(random.choice([0.0, 0.5]))
    node.squash = 1.0
    base = colour(random, (0.0, 0.5), (0.2, 0.9))
    other = tuple(c * float(random.uniform(0.8, 1.0)) for c in base[:3])
    node.inputs["Color1"].default_value, node.inputs["Color2"].default_value = base, (*other, 1.0)
    node.inputs["Mortar"].default_value = grey(float(random.uniform(0.05, 0.9)))
    node.inputs["Brick Width"].default_value = float(random.choice([0.5, 1.0]))
    node.inputs["Row Height"].default_value = 0.5
    shader.link(node.outputs["Color"], "Base Color")
    shader.set(Roughness=float(random.uniform(0.1, 0.6)))


def _daylight(shader: Shader) -> None:
    """A bright window: sky above, something darker below."""
    random = shader.random
    source = shader.texture("Noise", float(random.uniform(1.0, 5.0)), Detail=3.0)
    bright = colour(random, (0.0, 0.2), (0.8, 1.0), (0.5, 0.65))
    dark = colour(random, (0.1, 0.5), (0.3, 0.8), (0.2, 0.6))
    shader.link(shader.ramp(source, [(0.4, dark), (0.6, bright)]), "Emission Color")
    shader.set(Base_Color=grey(0.02), Emission_Strength=float(random.uniform(0.6, 2.5)))


def _bristle(shader: Shader) -> None:
    random = shader.random
    base = colour(random, (0.1, 0.8), (0.1, 0.9))
    stretched = shader.mapped(shader.vector, (2.0, 30.0, 30.0))
    source = shader.texture("Noise", 8.0, stretched, Detail=2.0)
    dark = (base[0] * 0.5, base[1] * 0.5, base[2] * 0.5, 1.0)
    shader.link(shader.ramp(source, [(0.35, dark), (0.65, base)]), "Base Color")
    shader.set(Roughness=0.8)


def _screen(shader: Shader) -> None:
    random = shader.random
    shader.set(Base_Color=grey(0.01), Roughness=float(random.uniform(0.05, 0.2)))
    if random.random() < 0.35:
        glow = colour(random, (0.0, 0.8), (0.3, 1.0))
        shader.set(Emission_Color=glow, Emission_Strength=float(random.uniform(0.1, 0.8)))


def _bread(shader: Shader) -> None:
    random = shader.random
    source = shader.texture("Noise", 8.0, Detail=6.0)
    dark = colour(random, (0.6, 0.8), (0.2, 0.4), (0.06, 0.09))
    light = colour(random, (0.4, 0.6), (0.5, 0.75), (0.07, 0.1))
    shader.link(shader.ramp(source, [(0.35, dark), (0.65, light)]), "Base Color")
    shader.set(Roughness=0.85)


def _fruit(shader: Shader) -> None:
    random = shader.random
    hue = (float(random.choice([0.0, 0.03, 0.08, 0.14, 0.25])), 0.0)
    base = colour(random, (0.7, 0.95), (0.3, 0.8), (hue[0] - 0.01, hue[0] + 0.02))
    shader.set(Base_Color=base, Roughness=float(random.uniform(0.25, 0.5)))


def _liquid(shader: Shader) -> None:
    random = shader.random
    kinds = [
        colour(random, (0.6, 0.9), (0.02, 0.1), (0.04, 0.08)),
        colour(random, (0.5, 0.9), (0.2, 0.6), (0.06, 0.1)),
        colour(random, (0.0, 0.15), (0.7, 0.9)),
        colour(random, (0.5, 0.95), (0.2, 0.8)),
    ]
    shader.set(Base_Color=kinds[int(random.integers(4))], Roughness=0.08)


def _glass(shader: Shader) -> None:
    """Thin glass: see-through with reflections at the edges; no refraction, which needs time."""
    random, tree = shader.random, shader.tree
    clear = random.random() < 0.6
    tint = grey(0.93) if clear else colour(random, (0.3, 0.9), (0.25, 0.9))
    transparent = tree.nodes.new("ShaderNodeBsdfTransparent")
    transparent.inputs["Color"].default_value = tint
    glossy = tree.nodes.new("ShaderNodeBsdfGlossy")
    glossy.inputs["Roughness"].default_value = float(random.uniform(0.02, 0.12))
    body = tree.nodes.new("ShaderNodeMixShader")
    body.inputs[0].default_value = float(random.uniform(0.02, 0.3))
    shader.set(Base_Color=tint, Roughness=0.3)
    tree.links.new(transparent.outputs[0], body.inputs[1])
    tree.links.new(shader.surface.outputs[0], body.inputs[2])
    facing = tree.nodes.new("ShaderNodeLayerWeight")
    facing.inputs["Blend"].default_value = float(random.uniform(0.25, 0.45))
    mix = tree.nodes.new("ShaderNodeMixShader")
    tree.links.new(facing.outputs["Fresnel"], mix.inputs[0])
    tree.links.new(body.outputs[0], mix.inputs[1])
    tree.links.new(glossy.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], tree.nodes["Material Output"].inputs["Surface"])


_RECIPES: dict[str, Callable[[Shader], None]] = {
    "plastic": _plastic,
    "dark_plastic": _dark_plastic,
    "rubber": _rubber,
    "steel": _metal((0.5, 0.85), (0.08, 0.35)),
    "brushed_metal": _brushed_metal,
    "dark_metal": _metal((0.02, 0.12), (0.25, 0.5)),
    "brass": _brass,
    "painted_metal": _painted_metal,
    "ceramic": _ceramic,
    "porcelain": _porcelain,
    "wood": _wood,
    "glass": _glass,
    "paint": _paint,
    "label": _label,
    "cloth": _cloth,
    "leather": _leather,
    "bristle": _bristle,
    "screen": _screen,
    "bread": _bread,
    "fruit": _fruit,
    "liquid": _liquid,
    "daylight": _daylight,
    "tiles": _tiles,
    "leaf": _leaf,
    "enamel": _enamel,
    "fabric": _fabric,
    "plaster": _plaster,
}
