"""Rooms around what is shown: where their walls are, and what stands in them. No rendering."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from render_affordances.cameras.camera import Camera
from render_affordances.meshes.geometry import turn_matrix
from render_affordances.meshes.model import Array, ObjectModel
from render_affordances.shapes.furniture.rooms import build_furnishing, build_room


@dataclass(frozen=True)
class Item:
    """A model with its pose."""

    model: ObjectModel
    rotation: Array
    shift: Array

    @property
    def vertices(self) -> Array:
        """(V, 3) where its vertices are."""
        return self.model.vertices @ self.rotation.T + self.shift


def furnished(
    subject: Item, camera: Camera, random: Generator, crowding: float, backed: bool
) -> tuple[Item, tuple[Item, ...]]:
    """Put a room around a subject, and furnishings into it.

    Args:
        subject: what is shown, standing on the floor.
        camera: that looks at it; it is inside the room.
        random: decides everything.
        crowding: multiplies how much there is.
        backed: whether the subject stands with its back to a wall.

    Returns:
        The room, and what stands in it without touching the subject or each other.
    """
    turn = subject.rotation if backed else _facing(camera, random)
    points, eye = subject.vertices @ turn, camera.position @ turn
    low, high = points.min(axis=0), points.max(axis=0)
    gap = random.uniform(0.0, 0.12) if backed else 0.05 + random.exponential(0.8)
    back = float(high[1] + gap + 0.03)
    sign = float(random.choice([-1.0, 1.0]))
    edge = max(sign * (high[0] if sign > 0 else low[0]), sign * eye[0] + 0.3)
    side = sign * float(edge + 0.05 + random.exponential(0.7))
    width = float(high[0] - low[0]) / 2
    rug = 0.7 * float(max(high[0] - low[0], high[1] - low[1])) if random.random() < 0.4 else 0.0
    room = Item(build_room(random, back, side, width, rug), turn, np.zeros(3))
    boxes = [(low[:2], high[:2])]
    items: list[Item] = []
    wanted = int(random.choice([0, 1, 2, 3, 4], p=[0.2, 0.25, 0.25, 0.2, 0.1]) * crowding)
    for _ in range(wanted * 4):
        if len(items) >= wanted:
            break
        model = build_furnishing(random)
        yaw = turn_matrix("z", float(random.normal(0, 10)))
        flat = (model.vertices @ yaw.T)[:, :2]
        own_low, own_high = flat.min(axis=0), flat.max(axis=0)
        reach = own_high[0] if sign > 0 else -own_low[0]
        x = side - sign * (reach + random.uniform(0.03, 2.0 * width + 2.0))
        y = back - 0.03 - own_high[1] - random.exponential(0.35)
        at = np.array([x, y])
        if y < low[1] - 1.2 or not _free(at + own_low, at + own_high, boxes):
            continue
        boxes.append((at + own_low, at + own_high))
        items.append(Item(model, turn @ yaw, turn @ np.array([x, y, 0.0])))
    return room, tuple(items)


def _facing(camera: Camera, random: Generator) -> Array:
    """Rotation (3, 3) of a room whose wall behind faces the camera, more or less."""
    away = -camera.rotation[:, 2]
    degrees = float(np.degrees(np.arctan2(away[1], away[0]))) - 90.0
    return turn_matrix("z", degrees + float(random.uniform(-40, 40)))


def _free(low: Array, high: Array, boxes: list[tuple[Array, Array]]) -> bool:
    """Whether a rectangle overlaps none of some others, with 2 cm between them."""
    return all((low > b[1] + 0.02).any() or (high < b[0] - 0.02).any() for b in boxes)
