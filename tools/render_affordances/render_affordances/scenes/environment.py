"""Light, ground, walls and backgrounds. Runs in Blender.

The environment maps are those that come with Blender (CC0).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import mathutils
import numpy as np
from numpy.random import Generator

from render_affordances.cameras.camera import direction
from render_affordances.meshes.model import Finish
from render_affordances.scenes.arrangement import FRONTED, Arrangement
from render_affordances.scenes.materials import build_material
from render_affordances.scenes.shaders import colour, grey
from render_affordances.shapes.parts.assembly import finish

MAPS = ("city", "courtyard", "forest", "interior", "studio", "sunrise", "sunset", "night")


def build_environment(arrangement: Arrangement, random: Generator) -> None:
    """Light a scene and put ground, walls and a background around it."""
    _world(random)
    _lamps(arrangement, random)
    setting, size = arrangement.setting, arrangement.size
    if setting in ("table", "room"):
        _table(arrangement, random, reach=size * (40 if setting == "room" else _edge(random)))
    if setting == "room":
        _wall_behind(arrangement, random)
    if setting == "studio":
        _sweep(arrangement, random)
    if setting in ("wall", "wall_studio"):
        back = float(arrangement.subject.vertices[:, 1].max())
        shader = _ground_material(random, size * 4, plain=setting == "wall_studio")
        _quad([(-1, 0, -1), (1, 0, -1), (1, 0, 1), (-1, 0, 1)], size * 40, (0, back, 0), shader)


def _edge(random: Generator) -> float:
    return float(random.uniform(0.9, 4.0))


# ---- world -------------------------------------------------------------------------------


def _world(random: Generator) -> None:
    """What lights the scene from all around, and what the camera sees of it."""
    world = bpy.data.worlds.new("world")
    bpy.context.scene.world = world
    world.use_nodes = True
    # The automatic map of where light comes from takes longer to build than the picture to render.
    world.cycles.sampling_method, world.cycles.sample_map_resolution = "MANUAL", 128
    tree = world.node_tree
    background = tree.nodes["Background"]
    kind = random.random()
    if kind < 0.65:
        _environment_map(tree, background, random)
    else:
        _gradient(tree, background, random)
    background.inputs["Strength"].default_value = float(np.exp(random.normal(-0.2, 0.35)))
    if random.random() < 0.6 or kind >= 0.65:
        _replace_what_is_seen(tree, background, random)


def _environment_map(tree: Any, background: Any, random: Generator) -> None:
    weights = np.array([1, 1, 1, 1.5, 1.5, 1, 1, 0.3])
    name = str(random.choice(MAPS, p=weights / weights.sum()))
    folder = Path(bpy.utils.resource_path("LOCAL")) / "datafiles" / "studiolights" / "world"
    node = tree.nodes.new("ShaderNodeTexEnvironment")
    node.image = bpy.data.images.load(str(folder / f"{name}.exr"), check_existing=True)
    mapping = tree.nodes.new("ShaderNodeMapping")
    mapping.inputs["Rotation"].default_value = (0.0, 0.0, float(random.uniform(0, 2 * np.pi)))
    source = tree.nodes.new("ShaderNodeTexCoord")
    tree.links.new(source.outputs["Generated"], mapping.inputs["Vector"])
    tree.links.new(mapping.outputs["Vector"], node.inputs["Vector"])
    tree.links.new(node.outputs["Color"], background.inputs["Color"])


def _gradient(tree: Any, background: Any, random: Generator) -> None:
    """A sky that is brighter or darker, warmer or colder towards the top."""
    source = tree.nodes.new("ShaderNodeTexCoord")
    split = tree.nodes.new("ShaderNodeSeparateXYZ")
    tree.links.new(source.outputs["Generated"], split.inputs[0])
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    low, high = (
        grey(float(random.uniform(*r)), float(random.uniform(-0.3, 0.3)))
        for r in ((0.02, 0.5), (0.2, 1.0))
    )
    ramp.color_ramp.elements[0].color, ramp.color_ramp.elements[1].color = low, high
    tree.links.new(split.outputs["Z"], ramp.inputs["Fac"])
    tree.links.new(ramp.outputs["Color"], background.inputs["Color"])


def _replace_what_is_seen(tree: Any, background: Any, random: Generator) -> None:
    """Show the camera something else than what lights the scene: plain, gradient or pattern."""
    seen = tree.nodes.new("ShaderNodeBackground")
    coordinates = tree.nodes.new("ShaderNodeTexCoord").outputs["Window"]
    kind = str(
        random.choice(
            ["plain", "gradient", "Noise", "Voronoi", "Brick", "Magic"],
            p=[0.25, 0.2, 0.3, 0.1, 0.1, 0.05],
        )
    )
    first, second = colour(random, (0.0, 0.8), (0.02, 0.9)), colour(random, (0.0, 0.8), (0.02, 0.9))
    if random.random() < 0.35:
        first, second = (
            grey(float(random.uniform(0.5, 0.95))),
            grey(float(random.uniform(0.3, 0.95))),
        )
    seen.inputs["Color"].default_value = first
    if kind == "gradient":
        node = tree.nodes.new("ShaderNodeTexGradient")
        node.gradient_type = str(random.choice(["LINEAR", "SPHERICAL", "DIAGONAL"]))
        _coloured(tree, node, coordinates, seen, first, second, (0.0, 1.0))
    elif kind != "plain":
        node = tree.nodes.new(f"ShaderNodeTex{kind}")
        node.inputs["Scale"].default_value = float(np.exp(random.uniform(np.log(1.5), np.log(14))))
        if kind == "Noise":
            node.inputs["Detail"].default_value = float(random.uniform(1, 8))
            node.inputs["Distortion"].default_value = float(random.uniform(0, 2))
        middle, soft = 0.5, float(random.uniform(0.02, 0.3))
        _coloured(tree, node, coordinates, seen, first, second, (middle - soft, middle + soft))
    path = tree.nodes.new("ShaderNodeLightPath")
    mix = tree.nodes.new("ShaderNodeMixShader")
    tree.links.new(path.outputs["Is Camera Ray"], mix.inputs[0])
    tree.links.new(background.outputs[0], mix.inputs[1])
    tree.links.new(seen.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], tree.nodes["World Output"].inputs["Surface"])


def _coloured(
    tree: Any, node: Any, coordinates: Any, seen: Any, first: Any, second: Any, span: Any
) -> None:
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    elements = ramp.color_ramp.elements
    elements[0].color, elements[1].color = first, second
    elements[0].position, elements[1].position = span
    tree.links.new(coordinates, node.inputs["Vector"])
    tree.links.new(node.outputs["Fac" if "Fac" in node.outputs else 0], ramp.inputs["Fac"])
    tree.links.new(ramp.outputs["Color"], seen.inputs["Color"])


# ---- lamps -------------------------------------------------------------------------------


def _lamps(arrangement: Arrangement, random: Generator) -> None:
    """None to three lamps, hard or soft, each of its own colour."""
    size = arrangement.size
    vertices = arrangement.subject.vertices
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    front = arrangement.setting.startswith("wall")
    for _ in range(int(random.choice([0, 1, 2, 3], p=[0.25, 0.4, 0.25, 0.1]))):
        azimuth = random.uniform(-170, -10) if front else random.uniform(0, 360)
        towards = direction(float(azimuth), float(random.uniform(15, 85)))
        if random.random() < 0.25:
            light = bpy.data.lights.new("sun", "SUN")
            light.energy = float(random.uniform(0.5, 3.5))
            light.angle = float(random.uniform(0.01, 0.3))
        else:
            light = bpy.data.lights.new("lamp", "AREA")
            light.energy = float(random.uniform(8, 60)) * size**2 * 8
            light.size = size * float(np.exp(random.uniform(np.log(0.15), np.log(3.0))))
        warm = float(random.normal(0, 0.15))
        light.color = grey(0.9, float(np.clip(warm, -0.3, 0.3)))[:3]
        if random.random() < 0.08:
            light.color = colour(random, (0.3, 0.9), (0.8, 1.0))[:3]
        lamp = bpy.data.objects.new("lamp", light)
        bpy.context.scene.collection.objects.link(lamp)
        lamp.location = mathutils.Vector((middle + towards * size * 2.5).tolist())
        lamp.rotation_euler = mathutils.Vector(towards.tolist()).to_track_quat("Z", "Y").to_euler()


# ---- ground and walls --------------------------------------------------------------------


def _ground_material(random: Generator, size: float, plain: bool = False) -> Any:
    """Wood, paint, cloth, stone, tiles or a pattern, at a scale that suits the subject."""
    if plain:
        return build_material(finish(random, "paint", "plastic"), size)
    if random.random() < 0.3:
        return build_material(finish(random, "tiles"), size)
    kind = finish(random, "wood", "wood", "paint", "cloth", "label", "ceramic", "brushed_metal")
    return build_material(kind, size * float(random.uniform(0.5, 2.0)))


def _quad(corners: list[tuple[float, float, float]], reach: float, at: Any, material: Any) -> Any:
    mesh = bpy.data.meshes.new("plane")
    points = np.asarray(corners, dtype=np.float64) * reach + np.asarray(at)
    mesh.from_pydata(points.tolist(), [], [tuple(range(len(corners)))])
    mesh.materials.append(material)
    plane = bpy.data.objects.new("plane", mesh)
    bpy.context.scene.collection.objects.link(plane)
    return plane


def _table(arrangement: Arrangement, random: Generator, reach: float) -> None:
    material = _ground_material(random, arrangement.size * 3)
    turn = float(random.uniform(0, np.pi / 2))
    footprint = float(np.linalg.norm(arrangement.subject.vertices[:, :2], axis=1).max())
    reach = max(reach, 1.5 * footprint)
    corners = [
        (float(np.cos(turn + k * np.pi / 2)) * 1.4, float(np.sin(turn + k * np.pi / 2)) * 1.4, 0.0)
        for k in range(4)
    ]
    _quad(corners, reach, (0, 0, -0.0002), material)


def _wall_behind(arrangement: Arrangement, random: Generator) -> None:
    """A wall on the far side of the subject, square or slanting to the line of sight."""
    subject = arrangement.subject
    away = -arrangement.camera.rotation[:, 2] * np.array([1.0, 1.0, 0.0])
    if subject.model.name in FRONTED:
        away = subject.rotation @ np.array([0.0, 1.0, 0.0])
    away = away / max(float(np.linalg.norm(away)), 1e-6)
    slant = float(random.normal(0, 0.35))
    turn = np.array([[np.cos(slant), -np.sin(slant)], [np.sin(slant), np.cos(slant)]])
    away[:2] = turn @ away[:2]
    farthest = float((subject.vertices @ away).max())
    for item in arrangement.clutter:
        farthest = max(farthest, float((item.vertices @ away).max()))
    at = away * (farthest + arrangement.size * float(random.uniform(0.02, 1.5)))
    side = np.array([-away[1], away[0], 0.0])
    up = np.array([0.0, 0.0, 1.0])
    corners = [tuple((a * side + b * up).tolist()) for a, b in ((-1, 0), (1, 0), (1, 1), (-1, 1))]
    _quad(corners, arrangement.size * 40, at, _ground_material(random, arrangement.size * 3))


def _sweep(arrangement: Arrangement, random: Generator) -> None:
    """A plain ground that bends up into a background without an edge."""
    size, subject = arrangement.size, arrangement.subject
    away = -arrangement.camera.rotation[:, 2] * np.array([1.0, 1.0, 0.0])
    away = away / max(float(np.linalg.norm(away)), 1e-6)
    side = np.array([-away[1], away[0], 0.0])
    start = float((subject.vertices @ away).max()) + size * float(random.uniform(0.3, 1.5))
    radius, wide = size * 1.5, size * 40
    angle = np.linspace(0, np.pi / 2, 16)
    forward = np.concatenate([[-40 * size], start + radius * np.sin(angle), [start + radius]])
    height = np.concatenate([[0], radius - radius * np.cos(angle), [40 * size]])
    rows = forward[:, None] * away + height[:, None] * np.array([0.0, 0.0, 1.0])
    points = np.concatenate([rows - wide * side, rows + wide * side]) - [0, 0, 0.0002]
    count = len(rows)
    mesh = bpy.data.meshes.new("sweep")
    faces = [(k, k + 1, count + k + 1, count + k) for k in range(count - 1)]
    mesh.from_pydata(points.tolist(), [], faces)
    mesh.shade_smooth()
    kind = Finish("paint" if random.random() < 0.7 else "plastic", int(random.integers(1 << 30)))
    mesh.materials.append(build_material(kind, size))
    created = bpy.data.objects.new("sweep", mesh)
    bpy.context.scene.collection.objects.link(created)
