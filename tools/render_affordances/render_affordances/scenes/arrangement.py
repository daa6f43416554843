"""How a picture is set up: pose, surroundings, camera, clutter. Pure numpy, no rendering."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator

from render_affordances.cameras.camera import (
    Camera,
    blur_limit,
    direction,
    framed,
    random_focal,
)
from render_affordances.meshes.geometry import turn_matrix
from render_affordances.meshes.model import Array, ObjectModel
from render_affordances.scenes.interiors import Item, furnished
from render_affordances.shapes.catalogue import build_object, harmless_classes
from render_affordances.shapes.parts.assembly import transformed
from render_affordances.shapes.props import build_picture, build_prop

SETTINGS: Mapping[str, tuple[tuple[str, ...], tuple[float, ...]]] = {
    "table": (("table", "room", "studio", "floating"), (0.38, 0.27, 0.17, 0.18)),
    "fixed": (("table", "room", "studio"), (0.45, 0.4, 0.15)),
    "floor": (("interior", "room", "table", "studio"), (0.7, 0.14, 0.06, 0.1)),
    "staged": (("table", "room", "studio"), (0.3, 0.5, 0.2)),
    "wall": (("wall", "studio", "floating"), (0.72, 0.13, 0.15)),
}
"""What an object rests on to the settings it is shown in, and how often.

fixed: screwed to what it stands on. staged: in use by a hand.

table: on a plane whose edge shows what lies beyond. room: on a plane that runs to a wall.
studio: on a plain sweep. interior: on the floor of a room with walls, windows and furnishings.
wall: before a wall. floating: any way up before a background.
"""

FIXED = frozenset({"faucet"})
"""Classes that are screwed to the surface they stand on, so that they never float."""

LYING = frozenset({"bottle", "glass", "jar", "wine_glass"})
"""Classes that now and then lie on their side."""

FRONTED = frozenset(
    {"cupboard", "drawer", "fridge", "kitchen_unit", "microwave", "panel", "sofa", "stove"}
    | {"washer", "kitchen", "lounge", "office", "washstand"}
)
"""Classes that stand with their back to a wall; nobody looks at them from behind."""

SEATS = frozenset({"armchair", "bench", "chair", "dining_chair", "sofa", "stool", "swivel_chair"})
"""Classes that are mostly seen from where one would come to sit down."""


@dataclass(frozen=True)
class Arrangement:
    """Everything that decides what is where in a picture.

    Attributes:
        setting: as in `SETTINGS`.
        subject: the object whose affordances are labelled.
        clutter: what stands about; it affords none of the subject's actions.
        camera: that looks at it.
        f_number: of the aperture, None where everything is sharp.
        focus: distance that is sharp, in metres.
        size: characteristic length of the subject, in metres.
        room: floor and walls of an interior, None in other settings.
    """

    setting: str
    subject: Item
    clutter: tuple[Item, ...]
    camera: Camera
    f_number: float | None
    focus: float
    size: float
    room: Item | None = None

    def camera_details(self) -> dict[str, Any]:
        """Say how the picture is taken, ready for JSON."""
        return {
            "position": [round(float(v), 5) for v in self.camera.position],
            "rotation": [[round(float(v), 6) for v in row] for row in self.camera.rotation],
            "focal_mm": round(self.camera.focal, 3),
            "principal_point": [round(v, 6) for v in self.camera.principal_point],
            "f_number": None if self.f_number is None else round(self.f_number, 2),
        }


def arrange(
    model: ObjectModel, random: Generator, crowding: float = 1.0, closeness: float = 0.0
) -> Arrangement:
    """Set up a picture of an object.

    Args:
        model: the subject.
        random: decides everything.
        crowding: multiplies how much clutter there is; less of it hides less.
        closeness: least share of pictures that show the parts from near, cropping the object.
    """
    fixed = model.name in FIXED and model.support == "table"
    names, weights = SETTINGS["fixed" if fixed else model.support]
    setting = str(random.choice(names, p=weights))
    if model.members:
        setting = "interior" if model.support == "floor" else str(random.choice(["table", "room"]))
    if model.support == "wall" and setting == "studio":
        setting = "wall_studio"
    subject = _posed(model, random, setting)
    camera = _camera(subject, random, setting, closeness)
    vertices = subject.vertices
    size = float(np.linalg.norm(np.ptp(vertices, axis=0)))
    clutter: tuple[Item, ...] = ()
    room: Item | None = None
    if setting == "interior":
        backed = model.name in FRONTED
        room, clutter = furnished(subject, camera, random, crowding, backed)
    elif setting in ("table", "room") or (setting == "studio" and random.random() < 0.25):
        clutter = _standing(subject, random, crowding)
    elif setting == "wall":
        clutter = _hanging(subject, random, crowding)
    _, depth = camera.project(vertices)
    f_number = None
    if random.random() < 0.45:
        f_number = blur_limit(camera, vertices, 0.012) * float(random.uniform(1.0, 4.0))
    return Arrangement(
        setting, subject, clutter, camera, f_number, float(np.median(depth)), size, room
    )


def _posed(model: ObjectModel, random: Generator, setting: str) -> Item:
    """Turn the subject and set it down with its lowest point at z = 0."""
    if setting == "floating":
        spread = 25.0 if model.support == "wall" else 60.0
        rotation = turn_matrix("x", float(random.normal(0, spread)))
        rotation = rotation @ turn_matrix("y", float(random.normal(0, spread)))
        if model.support != "wall":
            rotation = rotation @ turn_matrix("z", float(random.uniform(0, 360)))
    elif model.support == "wall":
        rotation = np.eye(3)
    else:
        rotation = turn_matrix("z", float(random.uniform(0, 360)))
        if model.name in FRONTED:
            rotation = turn_matrix("z", float(random.normal(0, 13)))
        if model.name in LYING and random.random() < 0.12:
            rotation = rotation @ turn_matrix("x", 90.0)
    vertices = model.vertices @ rotation.T
    return Item(model, rotation, np.array([0.0, 0.0, -float(vertices[:, 2].min())]))


def _view(subject: Item, random: Generator, setting: str) -> Array:
    """Direction from the subject to the camera."""
    model = subject.model
    front = model.support == "wall" or model.name in FRONTED
    if setting == "floating":
        azimuth = -90 + random.normal(0, 30) if front else random.uniform(0, 360)
        return direction(float(azimuth), float(random.uniform(-20, 50)))
    if front:
        low = 2.0 if model.members else -8.0
        return direction(-90 + float(random.uniform(-50, 50)), float(random.uniform(low, 38)))
    if model.name == "dinner":
        return direction(float(random.uniform(0, 360)), float(random.uniform(8, 48)))
    if model.name in SEATS and random.random() < 0.85:
        turn = np.degrees(np.arctan2(subject.rotation[1, 0], subject.rotation[0, 0]))
        azimuth = -90 + turn + random.normal(0, 55)
        return direction(float(azimuth), float(random.uniform(4, 40)))
    if model.name == "faucet":
        turn = np.degrees(np.arctan2(subject.rotation[1, 0], subject.rotation[0, 0]))
        azimuth = -90 + turn + random.uniform(-100, 100)
        return direction(float(azimuth), float(random.uniform(5, 60)))
    flat = np.ptp(subject.vertices, axis=0)
    is_flat = flat[2] < 0.35 * max(flat[0], flat[1])
    low, high = (22.0, 88.0) if is_flat else (4.0, 68.0)
    return direction(float(random.uniform(0, 360)), float(random.uniform(low, high)))


def _camera(subject: Item, random: Generator, setting: str, closeness: float) -> Camera:
    towards, focal = _view(subject, random, setting), random_focal(random)
    roll = float(random.normal(0, 6))
    if setting == "floating" or (towards[2] > 0.9 and random.random() < 0.5):
        roll = float(random.uniform(-180, 180)) if random.random() < 0.4 else roll
    points, model = subject.vertices, subject.model
    if model.members:
        points, closeness = _members(subject, random), 0.0
    near = 0.75 if model.name in ("door", "window", *FRONTED) and model.name != "sofa" else 0.1
    near = min(near, 0.4) if setting == "interior" else near
    if not model.members and random.random() < max(near, closeness):
        points = _close_up(subject, random)
    smallest = 0.55 if setting == "interior" else 0.36
    fill = float(np.sqrt(random.uniform(smallest**2, 0.97**2)))
    camera = framed(points, towards, focal, fill, roll, random.uniform(-0.9, 0.9, 2))
    grounded = setting in ("table", "room", "studio", "interior")
    if grounded and camera.position[2] < 0.02:
        lifted = camera.position * [1, 1, 0] + [0, 0, 0.02]
        camera = replace(camera, position=lifted)
    return camera


def _members(subject: Item, random: Generator) -> Array:
    """Corners of the boxes of all, one or two of the objects of a composition."""
    boxes = np.stack(subject.model.members) @ subject.rotation.T + subject.shift
    odds = [0.2, 0.3, 0.5] if subject.model.support == "table" else [0.5, 0.35, 0.15]
    count = int(random.choice([1, 2, len(boxes)], p=odds))
    weights = np.sqrt(np.linalg.norm(np.ptp(boxes, axis=1), axis=1))
    first = boxes[int(random.choice(len(boxes), p=weights / weights.sum()))]
    away = np.linalg.norm(boxes.mean(axis=1) - first.mean(axis=0), axis=1)
    points = boxes[np.argsort(away)[:count]].reshape(-1, 3)
    # Of something small, some of what is about it is shown too.
    reach = float(np.ptp(points, axis=0).max())
    least = 0.12 * float(np.ptp(subject.vertices, axis=0).max())
    grow = max(random.uniform(1.0, 1.25) * reach, least)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    return np.concatenate([points, middle + grow / 2 * np.array([[-1, -1, -1], [1, 1, 1]])])


def _close_up(subject: Item, random: Generator) -> Array:
    """Points to frame so that the object is cropped but the parts that matter are not."""
    model = subject.model
    moved = transformed(model, subject.rotation, subject.shift)
    chosen = []
    for action in model.affords:
        grips = moved.grips[action]
        count = int(random.integers(1, len(grips) + 1))
        if count == len(grips) or len(grips) == 1:
            chosen.append(moved.part_vertices(*model.part_ids(action)))
            continue
        one = grips[int(random.integers(len(grips)))].point
        part = moved.part_vertices(*model.part_ids(action))
        order = np.argsort(np.linalg.norm(part - one, axis=1))
        chosen.append(part[order[: max(len(part) // len(grips), 8)]])
    points = np.concatenate(chosen)
    middle, reach = points.mean(axis=0), float(np.ptp(points, axis=0).max())
    grow = random.uniform(1.3, 3.5) * max(
        reach, 0.12 * float(np.ptp(subject.vertices, axis=0).max())
    )
    return np.concatenate([points, middle + grow / 2 * np.array([[-1, -1, -1], [1, 1, 1]])])


def _distractor(subject: ObjectModel, random: Generator) -> ObjectModel:
    """A neutral thing, or an object of a class that affords nothing the subject does."""
    choices = [
        name
        for name in harmless_classes(set(subject.affords))
        if name not in ("door", "window", "valve", "switch", *FRONTED, *SEATS)
    ]
    if choices and random.random() < 0.3:
        model = build_object(str(random.choice(choices)), random)
        if model.support == "table":
            return model
    return build_prop(random)


def _standing(subject: Item, random: Generator, crowding: float) -> tuple[Item, ...]:
    """Things on the same plane as the subject, not touching it or each other."""
    vertices = subject.vertices
    taken = [(np.zeros(2), _footprint(vertices))]
    reach = taken[0][1]
    items: list[Item] = []
    wanted = int(random.choice([0, 1, 2, 3, 5, 7], p=[0.14, 0.2, 0.24, 0.2, 0.14, 0.08]) * crowding)
    for _ in range(wanted * 3):
        if len(items) >= wanted:
            break
        model = _distractor(subject.model, random)
        scale = float(np.clip(reach / 0.12, 0.6, 5.0)) if model.name == "prop" else 1.0
        rotation = turn_matrix("z", float(random.uniform(0, 360))) * scale
        own = _footprint(model.vertices) * scale
        angle, distance = random.uniform(0, 2 * np.pi), reach + own
        distance *= 1.02 + random.exponential(0.5)
        at = np.array([np.cos(angle), np.sin(angle)]) * distance
        if all(np.linalg.norm(at - centre) > own + radius for centre, radius in taken):
            taken.append((at, own))
            items.append(Item(model, rotation, np.array([*at, 0.0])))
    return tuple(items)


def _footprint(vertices: Array) -> float:
    return float(np.linalg.norm(vertices[:, :2], axis=1).max())


def _hanging(subject: Item, random: Generator, crowding: float) -> tuple[Item, ...]:
    """Pictures and signs on the wall beside the subject, touching nothing."""
    vertices = subject.vertices
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    span = float(max(high[0] - low[0], high[2] - low[2]))
    back = float(high[1])
    boxes = [(low[[0, 2]], high[[0, 2]])]
    items: list[Item] = []
    wanted = int(random.choice([0, 1, 2, 4], p=[0.35, 0.25, 0.25, 0.15]) * crowding)
    for _ in range(wanted * 4):
        if len(items) >= wanted:
            break
        model = build_picture(random)
        scale = float(np.clip(span / 0.25, 0.4, 4.0))
        size = np.ptp(model.vertices, axis=0) * scale
        centre = (low + high)[[0, 2]] / 2 + random.normal(0, 1.1, 2) * span
        own = (centre - size[[0, 2]] / 2, centre + size[[0, 2]] / 2)
        if all((own[0] > b[1]).any() or (own[1] < b[0]).any() for b in boxes):
            boxes.append(own)
            shift = np.array([centre[0], back - size[1] / 2, centre[1] - size[2] / 2])
            items.append(Item(model, np.eye(3) * scale, shift))
    return tuple(items)
