"""Shaders under construction: colours, textures, links between nodes. Runs in Blender."""

from __future__ import annotations

import colorsys
from typing import Any

import bpy
from numpy.random import Generator

Colour = tuple[float, float, float, float]


def colour(
    random: Generator,
    saturation: tuple[float, float] = (0.1, 0.95),
    value: tuple[float, float] = (0.08, 0.9),
    hue: tuple[float, float] = (0.0, 1.0),
) -> Colour:
    """Draw a colour, (4,) linear RGB and alpha 1."""
    h, s, v = (float(random.uniform(*bounds)) for bounds in (hue, saturation, value))
    return (*colorsys.hsv_to_rgb(h % 1.0, s, v), 1.0)


def grey(value: float, tint: float = 0.0) -> Colour:
    """Make a grey, a little blue (`tint` below 0) or warm (above 0)."""
    return (min(value * (1 + tint), 1.0), value, min(value * (1 - tint), 1.0), 1.0)


class Shader:
    """A material under construction: its nodes, and short ways to add more.

    Args:
        name: of the material.
        random: that textures are drawn with.
        scale: characteristic size of what it covers, in metres: textures scale with it.
    """

    def __init__(self, name: str, random: Generator, scale: float) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.surface = self.tree.nodes["Principled BSDF"]
        self.random = random
        self.scale = scale
        coordinates = self.tree.nodes.new("ShaderNodeTexCoord").outputs["Object"]
        self.vector = self.mapped(coordinates, (1.0, 1.0, 1.0))

    def mapped(self, source: Any, stretch: tuple[float, float, float]) -> Any:
        """Texture coordinates, stretched and randomly turned and shifted."""
        node = self.tree.nodes.new("ShaderNodeMapping")
        node.inputs["Scale"].default_value = stretch
        node.inputs["Rotation"].default_value = tuple(self.random.uniform(0, 0.6, 3))
        node.inputs["Location"].default_value = tuple(self.random.uniform(-5, 5, 3))
        self.tree.links.new(source, node.inputs["Vector"])
        return node.outputs["Vector"]

    def set(self, **inputs: Any) -> None:
        """Set inputs of the surface; underscores stand for spaces ("Base_Color")."""
        for name, value in inputs.items():
            self.surface.inputs[name.replace("_", " ")].default_value = value

    def texture(self, kind: str, frequency: float, vector: Any = None, **inputs: float) -> Any:
        """Output of a texture ("Noise", "Voronoi", "Wave", "Brick", "Checker", "Magic").

        Args:
            kind: of texture.
            frequency: repetitions over the characteristic size.
            vector: coordinates, or None for the object's.
            inputs: other settings by name.
        """
        node = self.tree.nodes.new(f"ShaderNodeTex{kind}")
        node.inputs["Scale"].default_value = frequency / self.scale
        for name, value in inputs.items():
            node.inputs[name].default_value = value
        self.tree.links.new(self.vector if vector is None else vector, node.inputs["Vector"])
        return node.outputs["Fac" if "Fac" in node.outputs else 0]

    def ramp(self, source: Any, stops: list[tuple[float, Colour]], sharp: bool = False) -> Any:
        """Turn a value into a colour."""
        node = self.tree.nodes.new("ShaderNodeValToRGB")
        ramp = node.color_ramp
        ramp.interpolation = "CONSTANT" if sharp else "LINEAR"
        while len(ramp.elements) < len(stops):
            ramp.elements.new(0.5)
        for element, (position, value) in zip(ramp.elements, stops, strict=True):
            element.position, element.color = position, value
        self.tree.links.new(source, node.inputs["Fac"])
        return node.outputs["Color"]

    def link(self, source: Any, name: str) -> None:
        """Connect an output to an input of the surface."""
        self.tree.links.new(source, self.surface.inputs[name])

    def bump(self, source: Any, strength: float, depth: float) -> None:
        """Make the surface uneven; `depth` in metres."""
        node = self.tree.nodes.new("ShaderNodeBump")
        node.inputs["Strength"].default_value = strength
        node.inputs["Distance"].default_value = depth
        self.tree.links.new(source, node.inputs["Height"])
        self.tree.links.new(node.outputs["Normal"], self.surface.inputs["Normal"])
