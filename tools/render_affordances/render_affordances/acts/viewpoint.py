"""Where the camera stands to see a hand at work. Needs no Blender."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from render_affordances.acts.staging import Act
from render_affordances.cameras.camera import Camera, direction, framed, random_focal
from render_affordances.meshes.model import Array

FRONT = frozenset({"cupboard", "drawer", "microwave", "panel"})
_LARGE = 0.45


def points_of_interest(act: Act, action: str, hand: Array | None, random: Generator) -> Array:
    """What the picture should show.

    Args:
        act: what is going on.
        action: that is done.
        hand: (V, 3) vertices of the hand, None where there is none.
        random: how much of a large object is shown.

    Returns:
        (N, 3) points: hand, object and the near side of its target; of an object too large to
        show with a hand, what is within reach.
    """
    vertices = act.model.vertices
    centre = act.grips[0].point
    if hand is None:
        return np.concatenate([vertices, *(piece.vertices for piece in act.people)])
    large = float(np.ptp(vertices, axis=0).max()) > _LARGE
    if large and (act.model.support != "table" or random.random() < 0.3):
        reach = float(random.uniform(0.2, 0.55))
        end = act.model.ends.get(action)
        near = np.linalg.norm(vertices - centre, axis=1) < reach
        if end is not None:
            near |= np.linalg.norm(vertices - end.point, axis=1) < 0.2
        vertices = vertices[near]
    found = [vertices, hand]
    end = act.model.ends.get(action)
    if end is not None:
        for surface in act.extras:
            near = np.linalg.norm(surface.vertices - end.point, axis=1) < 0.12
            found.append(surface.vertices[near])
    faces = [piece.vertices for piece in act.people if piece.kind == "skin"]
    found += [skin[np.linalg.norm(skin - centre, axis=1) < 0.2] for skin in faces]
    return np.concatenate(found)


def draw_camera(act: Act, points: Array, arm: Array | None, random: Generator) -> Camera:
    """Draw a camera that is likely to see hand, part and target.

    Args:
        act: what is going on.
        points: (N, 3) to frame.
        arm: (3,) direction from the wrist to the elbow, None without a hand.
        random: decides.

    Returns:
        A camera; whether the hand hides everything only a rendered mask can tell.
    """
    towards = _towards(act, arm, random)
    fill = float(random.uniform(0.62, 1.0))
    shift = random.uniform(-0.8, 0.8, 2)
    camera = framed(points, towards, random_focal(random), fill, float(random.normal(0, 6)), shift)
    if act.floor is not None and camera.position[2] < act.floor + 0.02:
        lifted = np.array([*camera.position[:2], act.floor + 0.02])
        camera = replace(camera, position=lifted)
    return camera


def _towards(act: Act, arm: Array | None, random: Generator) -> Array:
    front = act.model.support == "wall" or act.model.name in FRONT
    facing = np.degrees(np.arctan2(act.rotation[1, 0], act.rotation[0, 0]))
    for _ in range(20):
        if front:
            azimuth = -90 + facing + float(random.uniform(-62, 62))
            towards = direction(azimuth, float(random.uniform(-10, 45)))
        else:
            towards = direction(float(random.uniform(0, 360)), float(random.uniform(2, 62)))
        if arm is None or float(towards @ arm) < 0.6:  # else the arm hides the hand
            return towards
    return towards


def outline(
    camera: Camera, vertices: Array, faces: Sequence[Sequence[int]], size: int
) -> NDArray[np.bool_]:
    """Which pixels a body covers where nothing hides it.

    Args:
        camera: that looks at it.
        vertices: (V, 3).
        faces: corners of each face; those behind the camera are left out.
        size: side of the picture in px.

    Returns:
        (size, size) bool.
    """
    where, depth = camera.project(vertices)
    pixels = np.round(np.clip(where, -4, 5) * size * 16).astype(np.int32)
    canvas = np.zeros((size, size), np.uint8)
    for face in faces:
        corners = list(face)
        if (depth[corners] > 0).all():
            cv2.fillConvexPoly(canvas, pixels[corners], 1, shift=4)
    return np.asarray(canvas > 0)
