"""Blender's scene: objects in, pictures and part masks out. Runs in Blender.

scene = new_scene()
mug = add_object(model, rotation, shift)
set_camera(camera)
picture = render_rgb(320, 12)
parts = render_parts(320)
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import addon_utils
import bpy
import cv2
import mathutils
import numpy as np
from numpy.typing import NDArray

from render_affordances.cameras.camera import NEAR, SENSOR, Camera
from render_affordances.meshes.model import Array, ObjectModel, Surface
from render_affordances.scenes.materials import build_material

LEVELS_PER_ID = 10
"""Part masks are rendered as grey levels this far apart, so that no rounding mixes up ids."""

SHARP_ANGLE = math.radians(35)


@dataclass(frozen=True)
class Placed:
    """An object in the scene.

    Attributes:
        model: what it shows.
        vertices: (V, 3) its vertices where they are now.
        rotation: (3, 3) from the model's frame to the scene.
        shift: (3,) likewise, in metres.
        objects: Blender's objects, one a surface.
    """

    model: ObjectModel
    vertices: Array
    rotation: Array
    shift: Array
    objects: tuple[Any, ...]


def new_scene() -> Any:
    """Empty the scene and set up Cycles; returns the `bpy.types.Scene`."""
    if not bpy.app.background:
        raise RuntimeError("the renderer runs Blender as a Python module (pip install bpy)")
    scene = bpy.context.scene
    if scene.render.engine != "CYCLES":
        bpy.ops.wm.read_factory_settings(use_empty=True)
        addon_utils.enable("cycles")
        scene = bpy.context.scene
        _configure(scene)
    for blocks in (
        bpy.data.objects,
        bpy.data.meshes,
        bpy.data.materials,
        bpy.data.lights,
        bpy.data.cameras,
        bpy.data.worlds,
        bpy.data.armatures,
    ):
        bpy.data.batch_remove(list(blocks))
    return scene


def _configure(scene: Any) -> None:
    scene.render.engine = "CYCLES"
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.use_adaptive_sampling = False
    cycles.use_denoising = True
    cycles.denoiser = "OPENIMAGEDENOISE"
    # Colours and normals of metal and glass are noisy themselves at few samples.
    cycles.denoising_prefilter = "ACCURATE"
    cycles.denoising_quality = "BALANCED"
    cycles.use_light_tree = False
    cycles.use_fast_gi = True
    cycles.ao_bounces_render = 1
    cycles.max_bounces = 3
    cycles.diffuse_bounces = 2
    cycles.glossy_bounces = 2
    cycles.transmission_bounces = 2
    cycles.transparent_max_bounces = 10
    cycles.caustics_reflective = False
    cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0
    scene.render.use_persistent_data = False
    scene.render.dither_intensity = 0.0


def add_surface(surface: Surface, scale: float, name: str = "surface") -> Any:
    """Add one mesh; returns the `bpy.types.Object`.

    Args:
        surface: to add.
        scale: characteristic size of the object it belongs to, for its texture; a surface with a
            scale of its own has that.
        name: of the object.
    """
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(surface.vertices.tolist(), [], [list(face) for face in surface.faces])
    mesh.update()
    part = mesh.attributes.new("part", "FLOAT", "FACE")
    part.data.foreach_set("value", surface.part.astype(np.float32))
    if surface.smooth:
        mesh.shade_smooth()
        mesh.set_sharp_from_angle(angle=SHARP_ANGLE)
    mesh.materials.append(build_material(surface.finish, surface.scale or scale))
    created = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(created)
    if surface.bevel > 0:
        bevel = created.modifiers.new("bevel", "BEVEL")
        bevel.width, bevel.segments = surface.bevel, 2
    return created


def add_object(model: ObjectModel, rotation: Array, shift: Array) -> Placed:
    """Add an object; its part ids become the ids of the mask.

    Args:
        model: to add.
        rotation: (3, 3).
        shift: (3,), in metres, applied after the rotation.
    """
    scale = float(np.linalg.norm(np.ptp(model.vertices, axis=0)))
    objects = tuple(add_surface(one, scale, model.name) for one in model.surfaces)
    place(objects, rotation, shift)
    return Placed(model, model.vertices @ rotation.T + shift, rotation, shift, objects)


def place(objects: Iterable[Any], rotation: Array, shift: Array) -> None:
    """Put Blender objects at a pose."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, shift
    for one in objects:
        one.matrix_world = mathutils.Matrix(matrix.tolist())


def set_camera(camera: Camera, focus: float | None = None, f_number: float = 8.0) -> None:
    """Look through a camera.

    Args:
        camera: pose, focal length and principal point.
        focus: distance that is sharp, in metres; None for sharp everywhere.
        f_number: of the aperture.
    """
    scene = bpy.context.scene
    data = bpy.data.cameras.new("camera")
    data.sensor_fit, data.sensor_width = "HORIZONTAL", SENSOR
    data.lens, data.clip_start, data.clip_end = camera.focal, NEAR, 500.0
    data.shift_x, data.shift_y = 0.5 - camera.principal_point[0], camera.principal_point[1] - 0.5
    data.dof.use_dof = focus is not None
    if focus is not None:
        data.dof.focus_distance, data.dof.aperture_fstop = focus, f_number
    created = bpy.data.objects.new("camera", data)
    scene.collection.objects.link(created)
    place([created], camera.rotation, camera.position)
    scene.camera = created


def render_rgb(resolution: int, samples: int, seed: int = 0) -> NDArray[np.float32]:
    """Render the picture.

    Args:
        resolution: side of the square picture, in px.
        samples: light paths a pixel.
        seed: of the light paths.

    Returns:
        (resolution, resolution, 3) float32, linear light, not clipped.
    """
    scene = bpy.context.scene
    cycles = scene.cycles
    cycles.samples, cycles.seed = samples, seed % (1 << 31)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "picture.exr"
        settings = scene.render.image_settings
        settings.file_format, settings.color_depth, settings.color_mode = "OPEN_EXR", "16", "RGB"
        _render(scene, file, resolution)
        image = bpy.data.images.load(str(file))
        try:
            image.colorspace_settings.name = "Non-Color"
            pixels = np.empty(resolution * resolution * 4, dtype=np.float32)
            image.pixels.foreach_get(pixels)
        finally:
            bpy.data.images.remove(image)
    picture = pixels.reshape(resolution, resolution, 4)[::-1, :, :3]
    return np.nan_to_num(np.ascontiguousarray(picture), posinf=100.0)


def render_parts(resolution: int, only: Iterable[Any] | None = None) -> NDArray[np.uint8]:
    """Render which part each pixel shows.

    Args:
        resolution: side of the square mask, in px.
        only: objects that are drawn, so that nothing hides them; None for all.

    Returns:
        (resolution, resolution) uint8 part ids; 0 is no part. Whatever has no attribute "part"
        counts as 0 but hides what is behind it.
    """
    scene = bpy.context.scene
    with tempfile.TemporaryDirectory() as folder, _mask_settings(scene), _only(scene, only):
        file = Path(folder) / "parts.png"
        _render(scene, file, resolution)
        levels = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if levels is None:
        raise RuntimeError("Blender wrote no part mask; see its messages above")
    return np.round(levels / LEVELS_PER_ID).astype(np.uint8)


def _render(scene: Any, file: Path, resolution: int) -> None:
    scene.render.resolution_x = scene.render.resolution_y = resolution
    scene.render.filepath = str(file)
    with _silent():
        bpy.ops.render.render(write_still=True)


@contextmanager
def _silent() -> Iterator[None]:
    """Swallow what Blender prints about every picture it saves."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def _mask_settings(scene: Any) -> Iterator[None]:
    cycles, layer, settings = scene.cycles, bpy.context.view_layer, scene.render.image_settings
    kept = (scene.view_settings.view_transform, scene.world, cycles.use_denoising, cycles.samples)
    depth_of_field = scene.camera.data.dof.use_dof
    filter_type = cycles.pixel_filter_type
    settings.file_format, settings.color_depth, settings.color_mode = "PNG", "8", "BW"
    scene.view_settings.view_transform, scene.world = "Raw", None
    cycles.use_denoising, cycles.samples, cycles.pixel_filter_type = False, 1, "BOX"
    scene.camera.data.dof.use_dof = False
    layer.material_override = _id_material()
    try:
        yield
    finally:
        bpy.data.materials.remove(layer.material_override)
        layer.material_override = None
        scene.view_settings.view_transform, scene.world, cycles.use_denoising, cycles.samples = kept
        cycles.pixel_filter_type = filter_type
        scene.camera.data.dof.use_dof = depth_of_field


@contextmanager
def _only(scene: Any, chosen: Iterable[Any] | None) -> Iterator[None]:
    hidden = [] if chosen is None else [o for o in scene.objects if o.type == "MESH"]
    shown = set() if chosen is None else {o.name for o in chosen}
    hidden = [o for o in hidden if o.name not in shown and not o.hide_render]
    for one in hidden:
        one.hide_render = True
    try:
        yield
    finally:
        for one in hidden:
            one.hide_render = False


def _id_material() -> Any:
    material = bpy.data.materials.new("parts")
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    attribute = tree.nodes.new("ShaderNodeAttribute")
    attribute.attribute_name = "part"
    scaled = tree.nodes.new("ShaderNodeMath")
    scaled.operation = "MULTIPLY"
    scaled.inputs[1].default_value = LEVELS_PER_ID / 255
    emission = tree.nodes.new("ShaderNodeEmission")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(attribute.outputs["Fac"], scaled.inputs[0])
    tree.links.new(scaled.outputs[0], emission.inputs["Color"])
    tree.links.new(emission.outputs[0], output.inputs["Surface"])
    return material
