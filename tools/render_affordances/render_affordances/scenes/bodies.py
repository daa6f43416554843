"""Hands, arms and people in Blender's scene, with their skin and clothes. Runs in Blender."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Sequence
from typing import Any

import bpy
import numpy as np
from numpy.random import Generator

from render_affordances.acts.people import BodyPiece
from render_affordances.hands.arm import forearm, sleeve
from render_affordances.hands.grasping import Grasp
from render_affordances.meshes.model import Array, Finish
from render_affordances.scenes.materials import build_material
from render_affordances.scenes.shaders import Colour, Shader, grey

_SKIN_TONES: tuple[tuple[float, float, float], ...] = (
    (0.82, 0.56, 0.45),
    (0.70, 0.44, 0.32),
    (0.52, 0.30, 0.19),
    (0.30, 0.16, 0.09),
    (0.11, 0.055, 0.035),
)


class Wardrobe:
    """The skin, hair and clothes of one person.

    Args:
        random: draws them.
    """

    def __init__(self, random: Generator) -> None:
        self._random = random
        self._skin = skin_material(random)
        seeds = [int(seed) for seed in random.integers(1 << 30, size=3)]
        self._materials = {
            "skin": self._skin,
            "hair": _hair_material(random),
            "cloth": build_material(Finish("cloth", seeds[0]), 0.3),
            "trousers": build_material(Finish("cloth", seeds[1]), 0.3),
        }

    def material(self, kind: str) -> Any:
        """Material of a kind of `BodyPiece`."""
        return self._materials[kind]


def skin_material(random: Generator) -> Any:
    """Make skin of any tone, a little uneven."""
    place = float(random.uniform(0, len(_SKIN_TONES) - 1))
    low = int(place)
    share = place - low
    tones = np.asarray(_SKIN_TONES)
    tone = (1 - share) * tones[low] + share * tones[min(low + 1, len(tones) - 1)]
    tone = np.clip(tone * random.normal(1, 0.04, 3), 0, 1)
    shader = Shader("skin", random, 0.2)
    source = shader.texture("Noise", 6.0, Detail=4.0)
    red, green, blue = (float(value) for value in tone)
    darker: Colour = (red * 0.88, green * 0.84, blue * 0.84, 1.0)
    shader.link(shader.ramp(source, [(0.3, darker), (0.7, (red, green, blue, 1.0))]), "Base Color")
    shader.set(Roughness=float(random.uniform(0.4, 0.6)))
    shader.set(Subsurface_Weight=0.1, Subsurface_Radius=(0.01, 0.004, 0.002))
    return shader.material


def _hair_material(random: Generator) -> Any:
    shader = Shader("hair", random, 0.2)
    dark = grey(float(random.uniform(0.01, 0.06)))
    fair = (*colorsys.hsv_to_rgb(float(random.uniform(0.04, 0.12)), 0.6, 0.35), 1.0)
    shader.set(Base_Color=dark if random.random() < 0.6 else fair, Roughness=0.6)
    return shader.material


def add_hand(grasp: Grasp, wardrobe: Wardrobe, random: Generator) -> tuple[Any, tuple[Any, ...]]:
    """Add a hand and its forearm, bare or in a sleeve.

    Args:
        grasp: where the hand is.
        wardrobe: of the person.
        random: draws the sleeve.

    Returns:
        Blender's object of the hand, and those of the arm.
    """
    skin = wardrobe.material("skin")
    hand = _add("hand", grasp.vertices, grasp.triangles.tolist(), skin)
    modifier = hand.modifiers.new("smooth", "SUBSURF")
    modifier.levels = modifier.render_levels = 1
    place = grasp.placement.apply
    arm, faces = forearm(grasp.arm)
    pieces = [_add("forearm", place(arm), faces, skin)]
    if random.random() < 0.7:
        cuff, slack = float(random.uniform(0.13, 0.6)), float(random.uniform(0.002, 0.008))
        cloth, faces = sleeve(grasp.arm, cuff, slack)
        pieces.append(_add("sleeve", place(cloth), faces, wardrobe.material("cloth")))
    return hand, tuple(pieces)


def add_people(people: Iterable[BodyPiece], wardrobe: Wardrobe) -> tuple[Any, ...]:
    """Add dolls; returns Blender's objects."""
    return tuple(
        _add(piece.kind, piece.vertices, piece.faces, wardrobe.material(piece.kind))
        for piece in people
    )


def mark(objects: Iterable[Any], part: int) -> None:
    """Give all faces of objects one id, which `scene.render_parts` shows."""
    for one in objects:
        attribute = one.data.attributes.get("part")
        if attribute is None:
            attribute = one.data.attributes.new("part", "FLOAT", "FACE")
        values = np.full(len(one.data.polygons), part, dtype=np.float32)
        attribute.data.foreach_set("value", values)


def _add(name: str, vertices: Array, faces: Sequence[Sequence[int]], material: Any) -> Any:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices.tolist(), [], [list(face) for face in faces])
    mesh.update()
    mesh.shade_smooth()
    mesh.materials.append(material)
    created = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(created)
    return created
