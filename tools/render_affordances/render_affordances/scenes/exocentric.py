"""Exocentric pictures: a hand (or a person) doing an action with an object. Runs in Blender."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from render_affordances.acts.people import BodyPiece
from render_affordances.acts.staging import Act, stage
from render_affordances.acts.viewpoint import draw_camera, outline, points_of_interest
from render_affordances.cameras.camera import Camera, blur_limit
from render_affordances.cameras.photograph import develop
from render_affordances.hands.contact import PointSurface, sample_surface
from render_affordances.hands.grasping import Grasp, GraspLimits, find_grasp
from render_affordances.hands.poses import Wanted
from render_affordances.hands.rig import HandRig
from render_affordances.meshes.model import Array, ObjectModel, Surface
from render_affordances.scenes.arrangement import SETTINGS, Arrangement
from render_affordances.scenes.bodies import Wardrobe, add_hand, add_people, mark
from render_affordances.scenes.environment import build_environment
from render_affordances.scenes.interiors import Item
from render_affordances.scenes.scene import (
    add_object,
    add_surface,
    new_scene,
    render_parts,
    render_rgb,
    set_camera,
)

PART, REST, HAND, PERSON, TARGET = 1, 2, 3, 4, 5
"""Ids in the masks that decide whether a view is good."""

ACTS = 6
GRASPS = 12
VIEWS = 7
_OBJECT_SHARE = 0.035
_HAND_SHARE = 0.02
_COVERED = frozenset({"hold", "stir", "write", "open", "press", "turn"})
"""Actions whose part the hand, or what is stirred, may nearly cover."""
_SMALL = 0.35  # metres: objects up to this size are shown whole
_THIN = 0.0135
_CHECK = 96  # px, of the masks of a view


@dataclass(frozen=True)
class ExocentricShot:
    """A picture of an action.

    Attributes:
        picture: (H, W, 3) uint8, RGB.
        details: grasp, contacts, target, camera and so on, ready for JSON.
        rejections: why earlier attempts were thrown away, and how often.
    """

    picture: NDArray[np.uint8]
    details: dict[str, Any]
    rejections: Counter[str]


def take_exocentric(
    model: ObjectModel,
    action: str,
    rig: HandRig,
    random: Generator,
    resolution: int,
    samples: int,
) -> ExocentricShot:
    """Stage an action, close a hand on the object, find a view that shows it, and render.

    Args:
        model: the object at rest.
        action: that it affords.
        rig: the hand.
        random: decides everything.
        resolution: side of the picture in px.
        samples: light paths a pixel.

    Raises:
        RuntimeError: no hand held or no view showed it.
    """
    rejections: Counter[str] = Counter()
    for _ in range(ACTS):
        left = bool(random.random() < 0.25)
        act = stage(model, action, random, left)
        grasp = None
        if act.handed:
            grasp, refused = _grasp(act, action, rig, left, random)
            rejections.update(refused)
            if grasp is None:
                rejections["no grasp held"] += 1
                continue
        new_scene()
        _build(act, action, grasp, random)
        camera, reasons = _view(act, action, grasp, random)
        rejections.update(reasons)
        if camera is None:
            rejections["no view"] += 1
            continue
        return _render(act, grasp, camera, random, (resolution, samples), rejections)
    raise RuntimeError(
        f"{action} with {model.name} ({model.family}) worked in none of {ACTS} ways: "
        f"{dict(rejections)}"
    )


def _grasp(
    act: Act, action: str, rig: HandRig, left: bool, random: Generator
) -> tuple[Grasp | None, Counter[str]]:
    surface = _surface(act, random)
    acts_elsewhere = action in act.model.ends or action == "drink_with"
    parts = () if acts_elsewhere else act.model.part_ids(action)
    scale = float(random.uniform(0.9, 1.08))
    grip = act.grips[0]
    # Thin handles are as often held between thumb and fingertips.
    if grip.grasp == "power" and grip.width < _THIN and random.random() < 0.4:
        grip = replace(grip, grasp="pinch")
    wanted = Wanted(grip, act.thumbs[0], left, scale, 0.0)
    limits = GraspLimits(tries=GRASPS)
    return find_grasp(rig, surface, wanted, parts, random, floor=act.floor, limits=limits)


def _surface(act: Act, random: Generator) -> PointSurface:
    """The object near the grip, its target and the people, as points; only the object has parts."""
    pieces: list[tuple[Array, Sequence[Sequence[int]], NDArray[np.uint8]]] = [
        (one.vertices, one.faces, one.part) for one in act.model.surfaces
    ]
    beyond = 255
    others: list[Surface | BodyPiece] = [*act.extras, *act.people]
    for other in others:
        parts = np.full(len(other.faces), beyond, np.uint8)
        pieces.append((other.vertices, other.faces, parts))
    centre = act.grips[0].point
    found = []
    for vertices, faces, parts in pieces:
        spacing = 0.003 if float(np.ptp(vertices, axis=0).max()) < 0.3 else 0.005
        found.append(sample_surface(vertices, faces, parts, spacing, random).near(centre, 0.3))
    return PointSurface(
        np.concatenate([one.points for one in found]),
        np.concatenate([one.normals for one in found]),
        np.concatenate([one.parts for one in found]),
    )


def _build(act: Act, action: str, grasp: Grasp | None, random: Generator) -> None:
    subject = add_object(act.model, np.eye(3), np.zeros(3))
    ids = act.model.part_ids(action)
    for surface, created in zip(act.model.surfaces, subject.objects, strict=True):
        values = np.where(np.isin(surface.part, ids), PART, REST).astype(np.float32)
        created.data.attributes["part"].data.foreach_set("value", values)
    for extra in act.extras:
        scale = float(np.linalg.norm(np.ptp(extra.vertices, axis=0)))
        mark([add_surface(extra, scale, "target")], TARGET)
    wardrobe = Wardrobe(random)
    mark(add_people(act.people, wardrobe), PERSON)
    if grasp is not None:
        hand, arm = add_hand(grasp, wardrobe, random)
        mark([hand], HAND)
        mark(arm, 0)


def _view(
    act: Act, action: str, grasp: Grasp | None, random: Generator
) -> tuple[Camera | None, Counter[str]]:
    reasons: Counter[str] = Counter()
    hand = None if grasp is None else grasp.vertices
    arm = None if grasp is None else _arm_direction(grasp)
    for _ in range(VIEWS):
        points = points_of_interest(act, action, hand, random)
        camera = draw_camera(act, points, arm, random)
        set_camera(camera)
        reason = _fault(act, action, camera, grasp)
        if reason is None:
            return camera, reasons
        reasons[reason] += 1
    return None, reasons


def _arm_direction(grasp: Grasp) -> Array:
    ends = grasp.placement.apply(np.stack([np.zeros(3), grasp.arm]))
    along = ends[1] - ends[0]
    return np.asarray(along / np.linalg.norm(along))


def _fault(act: Act, action: str, camera: Camera, grasp: Grasp | None) -> str | None:
    """What is wrong with a view, None where nothing is."""
    model = act.model
    subject_alone = outline(camera, model.vertices, model.faces, _CHECK)
    if subject_alone.mean() < _OBJECT_SHARE:
        return "object tiny"
    small = float(np.ptp(model.vertices, axis=0).max()) < _SMALL
    if small and camera.share_in_frame(model.vertices) < 0.75:
        return "object cropped"
    hand_alone = np.zeros((_CHECK, _CHECK), bool)
    if grasp is not None:
        if camera.share_in_frame(grasp.vertices) < 0.85:
            return "hand cropped"
        hand_alone = outline(camera, grasp.vertices, grasp.triangles.tolist(), _CHECK)
        if hand_alone.mean() < _HAND_SHARE:
            return "hand tiny"
    return _hidden(act, action, render_parts(_CHECK), subject_alone, hand_alone)


def _hidden(
    act: Act,
    action: str,
    seen: NDArray[np.uint8],
    subject_alone: NDArray[np.bool_],
    hand_alone: NDArray[np.bool_],
) -> str | None:
    """Which of those who matter is behind something else, None where all are in sight."""
    subject = np.isin(seen, (PART, REST))
    if subject.mean() < _OBJECT_SHARE or subject.sum() < 0.4 * subject_alone.sum():
        return "object hidden"
    if act.people and (seen == PERSON).mean() < (0.02 if act.handed else 0.1):
        return "person hidden"
    if not act.handed:
        return None
    hand = seen == HAND
    if hand.mean() < _HAND_SHARE or hand.sum() < 0.4 * hand_alone.sum():
        return "hand hidden"
    if act.targets and (seen == TARGET).mean() < 0.006:
        return "target hidden"
    least = 0.0003 if action in _COVERED else 0.002
    return "part hidden" if (seen == PART).mean() < least else None


def _render(
    act: Act,
    grasp: Grasp | None,
    camera: Camera,
    random: Generator,
    size: tuple[int, int],
    rejections: Counter[str],
) -> ExocentricShot:
    vertices = act.model.vertices
    _, depth = camera.project(vertices)
    f_number = None
    if random.random() < 0.35:
        f_number = blur_limit(camera, vertices, 0.012) * float(random.uniform(1.0, 4.0))
    setting = _setting(act, random)
    arrangement = Arrangement(
        setting=setting,
        subject=Item(act.model, np.eye(3), np.zeros(3)),
        clutter=(),
        camera=camera,
        f_number=f_number,
        focus=float(np.median(depth)),
        size=float(np.clip(np.linalg.norm(np.ptp(vertices, axis=0)), 0.25, 1.5)),
    )
    set_camera(camera, None if f_number is None else arrangement.focus, f_number or 8.0)
    build_environment(arrangement, random)
    light = render_rgb(size[0], size[1], int(random.integers(1 << 30)))
    picture = develop(light, random)
    return ExocentricShot(picture, _details(act, grasp, arrangement), rejections)


def _setting(act: Act, random: Generator) -> str:
    if act.model.support == "wall":
        names, weights = SETTINGS["wall"]
        chosen = str(random.choice(names, p=weights))
        return "wall_studio" if chosen == "studio" else chosen
    if act.floor is None:
        return "floating" if random.random() < 0.6 else "room"
    names, weights = SETTINGS["staged"]
    return str(random.choice(names, p=weights))


def _details(act: Act, grasp: Grasp | None, arrangement: Arrangement) -> dict[str, Any]:
    details: dict[str, Any] = {
        "setting": arrangement.setting,
        "family": act.model.family,
        "targets": [target.name for target in act.targets],
        "person": bool(act.people),
        "camera": arrangement.camera_details(),
    }
    if grasp is not None:
        contact: Mapping[str, Any] = {
            "grasp": grasp.kind,
            "hand": "left" if grasp.placement.left else "right",
            "touching": list(grasp.touching),
            "depth_mm": round(grasp.depth * 1000, 2),
        }
        details["contact"] = contact
    return details
