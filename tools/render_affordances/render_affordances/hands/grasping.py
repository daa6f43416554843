"""Finding a grasp that holds: draw a start, close the hand, check it, try again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from render_affordances.hands.arm import free_direction
from render_affordances.hands.closing import Array, Closing, Placement, approach
from render_affordances.hands.contact import (
    TOUCH_METRES,
    DistanceGrid,
    Distances,
    PointSurface,
    depth_inside,
    hand_surface,
)
from render_affordances.hands.poses import Wanted, draw_start
from render_affordances.hands.rig import DIGITS, FINGERS, HandPose, HandRig

REACH_METRES = 0.3  # of what lies near the grip and can stop the hand
_THIN = 0.02


@dataclass(frozen=True)
class GraspLimits:
    """What a grasp must keep to.

    Attributes:
        hand_depth: of the hand's skin in the object, metres.
        object_depth: of the object's surface in the hand, metres.
        tries: starts drawn before the grip is given up.
    """

    hand_depth: float = 0.004
    object_depth: float = 0.007
    tries: int = 40

    def __post_init__(self) -> None:
        if min(self.hand_depth, self.object_depth) <= 0 or self.tries < 1:
            raise ValueError(f"depths must be above 0 and tries at least 1, got {self}")


@dataclass(frozen=True)
class Grasp:
    """A hand that holds.

    Attributes:
        vertices: (V, 3) of the hand, in the frame of the object.
        triangles: (F, 3), counter-clockwise from outside.
        pose: its joints.
        placement: where it is.
        touching: digits (and "palm") that touch the object.
        depth: of the hand in the object or the object in the hand, metres.
        kind: of grasp.
        arm: (3,) from the wrist to the elbow, in the frame of the hand.
        rejected: reason to the number of starts refused before this one.
    """

    vertices: Array
    triangles: NDArray[np.int64]
    pose: HandPose
    placement: Placement
    touching: tuple[str, ...]
    depth: float
    kind: str = ""
    arm: Array = field(default_factory=lambda: np.array([0.0, 0.0, -1.0]))
    rejected: Counter[str] = field(default_factory=Counter)


def find_grasp(
    rig: HandRig,
    surface: PointSurface,
    wanted: Wanted,
    parts: Sequence[int],
    random: np.random.Generator,
    *,
    floor: float | None = None,
    limits: GraspLimits | None = None,
) -> tuple[Grasp | None, Counter[str]]:
    """Draw hands until one holds.

    Args:
        rig: the hand.
        surface: of the object, all of it.
        wanted: grip, side and size; its freedom grows from try to try.
        parts: ids of the parts the hand must touch; empty for anywhere on the object.
        random: what starts are drawn from.
        floor: height of the table in the frame of the object, None where there is none.
        limits: what the grasp must keep to; the usual ones where None.

    Returns:
        The grasp, None where none was found, and how often each reason refused a start.
    """
    bounds = limits or GraspLimits()
    near = surface.near(wanted.grip.point, REACH_METRES)
    aimed = near.of_parts(parts) if parts else near
    refused: Counter[str] = Counter()
    if not len(aimed.points):
        refused["part out of reach"] += 1
        return None, refused
    # A grid is coarser than a pencil is thick: fingers would pass through it.
    thin = wanted.grip.width < _THIN
    body: Distances = near if thin else DistanceGrid(near, wanted.grip.point)
    for number in range(bounds.tries):
        loose = replace(wanted, freedom=number / bounds.tries)
        grasp = _closed(rig, body, loose, random)
        reason = _refusal(rig, near, aimed, loose, grasp, floor, bounds)
        arm = None
        if reason is None:
            arm = free_direction(grasp.placement, near, floor, random)
            reason = "no room for the arm" if arm is None else None
        if reason is None and arm is not None:
            touching = digits_touching(rig, grasp.vertices, aimed)
            found = replace(grasp, touching=touching, depth=_depth(near, grasp), arm=arm)
            found = replace(found, kind=wanted.grip.grasp)
            return replace(found, rejected=refused), refused
        refused[str(reason)] += 1
    return None, refused


def _closed(rig: HandRig, surface: Distances, wanted: Wanted, random: np.random.Generator) -> Grasp:
    start = draw_start(rig, wanted, random)
    placement = start.placement
    if start.heading is not None:
        skin = rig.pose(start.pose)
        if start.palm_first:
            skin = rig.palm_skin(skin)
        placement = approach(placement, skin, surface, start.heading)
    precise = wanted.grip.grasp in ("pinch", "twist")
    pose = Closing(rig, placement, surface, to_nearest=precise).close(start.pose, start.digits)
    triangles = rig.triangles[:, ::-1] if placement.left else rig.triangles
    return Grasp(placement.apply(rig.pose(pose)), triangles, pose, placement, (), 0.0)


def _refusal(
    rig: HandRig,
    surface: PointSurface,
    aimed: PointSurface,
    wanted: Wanted,
    grasp: Grasp,
    floor: float | None,
    limits: GraspLimits,
) -> str | None:
    """Why a grasp does not hold, None where it does."""
    if floor is not None and float(grasp.vertices[:, 2].min()) < floor - 0.002:
        return "hand under the table"
    if -float(surface.signed_distance(grasp.vertices).min()) > limits.hand_depth:
        return "hand in the object"
    body = hand_surface(grasp.vertices, grasp.triangles)
    if depth_inside(body, surface.points) > limits.object_depth:
        return "object in the hand"
    touching = digits_touching(rig, grasp.vertices, aimed)
    if not _enough(wanted.grip.grasp, touching):
        return "no contact"
    return None


def _enough(kind: str, touching: Sequence[str]) -> bool:
    fingers = sum(finger in touching for finger in FINGERS)
    if kind in ("power", "wrap"):
        return fingers >= 2 and ("thumb" in touching or "palm" in touching)
    if kind == "hook":
        return fingers >= 2
    if kind in ("pinch", "twist"):
        return fingers >= 1 and "thumb" in touching
    if kind == "push":
        return "index" in touching
    return "palm" in touching or fingers >= 2


def digits_touching(rig: HandRig, vertices: Array, surface: PointSurface) -> tuple[str, ...]:
    """Which digits, and the palm, have skin within a few millimetres of a surface.

    Args:
        rig: the hand.
        vertices: (V, 3), posed.
        surface: of the object or of one part of it.

    Returns:
        Names among `DIGITS` and "palm".
    """
    close = np.abs(surface.signed_distance(vertices)) < TOUCH_METRES
    touching = [digit for digit in DIGITS if close[rig.digit_vertices(digit)].any()]
    digit_skin = np.zeros(len(vertices), bool)
    for digit in DIGITS:
        digit_skin[rig.digit_vertices(digit)] = True
    if close[~digit_skin].any():
        touching.append("palm")
    return tuple(touching)


def _depth(surface: PointSurface, grasp: Grasp) -> float:
    own = max(0.0, -float(surface.signed_distance(grasp.vertices).min()))
    body = hand_surface(grasp.vertices, grasp.triangles)
    return max(own, depth_inside(body, surface.points))
