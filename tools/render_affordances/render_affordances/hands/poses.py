"""Kinds of grasp: the shape of the open hand and where it starts, for each way to take a part.

A start is drawn at random within what hands do; `grasping` closes it, checks it and draws the
next one where it does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from render_affordances.hands.closing import Array, Placement
from render_affordances.hands.rig import FINGERS, HandPose, HandRig, rotation
from render_affordances.meshes.model import Grip

PALM = np.array([-0.012, -0.008, 0.012])
"""A place on the skin in the middle of the palm, in the frame of the hand."""
_SKIN = 0.008  # from the end of a finger's bone to its skin


@dataclass(frozen=True)
class Start:
    """An open hand before it closes.

    Attributes:
        pose: its joints.
        placement: where it is, in the frame of the object.
        heading: (3,) unit vector along which it is moved until it touches; None where it stays.
        digits: which close then, in this order.
        palm_first: only the palm stops the movement; the digits come to rest by closing.
    """

    pose: HandPose
    placement: Placement
    heading: Array | None
    digits: tuple[str, ...]
    palm_first: bool = False


@dataclass(frozen=True)
class Wanted:
    """What a hand should do.

    Attributes:
        grip: of the object.
        thumb: (3,) direction the thumb's side should have along the grip's axis, or zeros where
            either will do.
        left: use the left hand.
        scale: size of the hand.
        freedom: 0 to 1, how far a start may be from the usual one; grows while none holds.
    """

    grip: Grip
    thumb: Array
    left: bool
    scale: float
    freedom: float


def draw_start(rig: HandRig, wanted: Wanted, random: np.random.Generator) -> Start:
    """Draw an open hand for a kind of grasp.

    Args:
        rig: the hand.
        wanted: grip, side and size.
        random: what is drawn from.

    Returns:
        A hand that has not been moved against the object yet.
    """
    return _STARTS[wanted.grip.grasp](rig, wanted, random)


def _around(rig: HandRig, wanted: Wanted, random: np.random.Generator) -> Start:
    """Fingers around a bar or a body, palm on it."""
    grip, wide = wanted.grip, wanted.grip.width
    thick = float(np.clip((wide - 0.02) / 0.05, 0, 1))  # 0 a bar, 1 a bottle
    pose = HandPose(
        curls={
            "thumb": (-12.0, 0.0, 0.0),
            **{finger: (10.0 - 10 * thick, 4.0, 2.0) for finger in FINGERS},
        },
        spreads={"index": 4 * thick, "ring": -3 * thick, "pinky": -6 * thick},
        opposition=float(random.uniform(62, 88)),
        abduction=float(random.uniform(22, 42)),
    )
    free = wanted.freedom
    # The bar lies across the palm, at the root of the fingers.
    hold = PALM + np.array([wide / 2, 0, float(random.uniform(0.014, 0.026))])
    palm = rotation(grip.axis, float(random.normal(0, 12 + 45 * free))) @ -grip.normal
    slant = float(random.normal(6 * (1 - thick), 6))
    frame = _frame(palm, _thumb_side(wanted, random)) @ rotation(np.array([1.0, 0, 0]), slant)
    along = float(random.normal(0, 0.004 + 0.012 * free)) * grip.axis
    placement = _placed(frame, hold, grip.point + along, wanted)
    away = 0.02 * palm
    digits = (*FINGERS, "thumb")
    return Start(pose, placement.moved(-away), palm, digits, palm_first=True)


def _hooked(rig: HandRig, wanted: Wanted, random: np.random.Generator) -> Start:
    """Bent fingers behind a bar; the palm stays a little off it."""
    start = _around(rig, wanted, random)
    pose = HandPose(
        curls={
            "thumb": (0.0, float(random.uniform(5, 30)), 15.0),
            **{finger: (10.0, 10.0, 5.0) for finger in FINGERS},
        },
        opposition=float(random.uniform(10, 45)),
    )
    return Start(pose, start.placement, start.heading, FINGERS)


def _opposed(rig: HandRig, wanted: Wanted, random: np.random.Generator) -> Start:
    """Thumb on one side, fingertips on the other."""
    grip, free = wanted.grip, wanted.freedom
    twist = grip.grasp == "twist"
    many = grip.width > 0.03
    digits: tuple[str, ...] = ("index", "middle", "ring") if many else ("index", "middle")
    if not twist and grip.width < 0.012 and random.random() < 0.5:
        digits = ("index",)
    pose = _opened(rig, digits, grip.width / wanted.scale + 0.004, random)
    fingertips = np.mean([rig.tip(digit, pose) for digit in digits], axis=0)
    thumb = rig.tip("thumb", pose)
    centre = (fingertips + thumb) / 2
    squeeze = fingertips - thumb
    squeeze /= np.linalg.norm(squeeze)
    reach = centre - np.array([-0.03, -0.005, 0.0])
    reach -= squeeze * (squeeze @ reach)
    reach /= np.linalg.norm(reach)
    across = np.cross(grip.normal, grip.axis)
    if twist:
        across = rotation(grip.normal, float(random.uniform(-180, 180))) @ across
    elif random.random() < 0.5:
        across = -across
    inwards = rotation(across, float(random.normal(0, 12 + 30 * free))) @ -grip.normal
    mirror = np.array([1.0, -1.0 if wanted.left else 1.0, 1.0])
    own = np.stack([reach * mirror, squeeze * mirror, np.cross(reach * mirror, squeeze * mirror)])
    frame = np.stack([inwards, across, np.cross(inwards, across)], axis=1) @ own
    along = float(random.normal(0, 0.002 + 0.006 * free)) * grip.axis
    deeper = float(random.uniform(-0.002, 0.006)) * inwards
    placement = _placed(frame, centre, grip.point + along + deeper, wanted)
    return Start(pose, placement, None, (*digits, "thumb"))


def _opened(
    rig: HandRig, digits: tuple[str, ...], gap: float, random: np.random.Generator
) -> HandPose:
    """A hand whose fingertips leave a gap to the thumb."""
    idle = float(random.uniform(25, 70))
    opposition = float(random.uniform(48, 66))
    base = float(random.uniform(-4, 6))
    best, least = HandPose(), np.inf
    for share in np.linspace(0.1, 1.0, 19):
        curls: dict[str, tuple[float, float, float]] = {
            finger: (idle, idle, idle / 2) for finger in FINGERS
        }
        for digit in digits:
            curls[digit] = (52 * share, 48 * share, 26 * share)
        curls["thumb"] = (base - 12 + 14 * share, 18 * share, 14 * share)
        pose = HandPose(curls, {"index": 2.0}, opposition)
        tips = np.mean([rig.tip(digit, pose) for digit in digits], axis=0)
        found = float(np.linalg.norm(tips - rig.tip("thumb", pose))) - 2 * _SKIN
        if abs(found - gap) < least:
            best, least = pose, abs(found - gap)
    return best


def _pointing(rig: HandRig, wanted: Wanted, random: np.random.Generator) -> Start:
    """The stretched index finger on a button."""
    grip, free = wanted.grip, wanted.freedom
    idle = float(random.uniform(62, 88))
    pose = HandPose(
        curls={
            "index": (
                float(random.uniform(5, 25)),
                float(random.uniform(5, 25)),
                float(random.uniform(2, 15)),
            ),
            "thumb": (0.0, float(random.uniform(15, 40)), float(random.uniform(10, 40))),
            **{finger: (idle, idle + 8, 50.0) for finger in FINGERS[1:]},
        },
        opposition=float(random.uniform(25, 60)),
    )
    tip = rig.tip("index", pose)
    root = rig.joints["index-finger-phalanx-proximal"]
    along = (tip - root) / np.linalg.norm(tip - root)
    lean = float(random.uniform(-5, 30 + 20 * free))
    side = rotation(grip.normal, float(random.normal(0, 35 + 40 * free))) @ np.cross(
        grip.normal, grip.axis
    )
    inwards = rotation(side, lean) @ -grip.normal
    mirror = np.array([1.0, -1.0 if wanted.left else 1.0, 1.0])
    forward = along * mirror
    palm = np.array([1.0, 0, 0]) - forward * forward[0]
    palm /= np.linalg.norm(palm)
    own = np.stack([palm, np.cross(forward, palm), forward])
    down = np.cross(side, inwards)
    if down @ grip.axis > 0:  # the palm looks down, away from the grip's "up"
        down = -down
    frame = np.stack([down, np.cross(inwards, down), inwards], axis=1) @ own
    skin = tip + _SKIN * along
    place = _placed(frame, skin, grip.point - 0.02 * inwards, wanted)
    return Start(pose, place, inwards, ())


def _flat(rig: HandRig, wanted: Wanted, random: np.random.Generator) -> Start:
    """The open hand laid on a surface."""
    grip = wanted.grip
    bend = float(random.uniform(2, 14))
    pose = HandPose(
        curls={
            "thumb": (0.0, 5.0, 5.0),
            **{finger: (bend, bend, bend / 2) for finger in FINGERS},
        },
        spreads={"index": 6.0, "ring": -4.0, "pinky": -9.0},
        opposition=float(random.uniform(0, 20)),
    )
    turn = rotation(grip.normal, float(random.uniform(-180, 180)))
    palm = rotation(turn @ grip.axis, float(random.normal(0, 5))) @ -grip.normal
    frame = _frame(palm, turn @ grip.axis * (-1 if wanted.left else 1))
    hold = PALM + np.array([0, 0, 0.02])
    placement = _placed(frame, hold, grip.point + 0.03 * grip.normal, wanted)
    return Start(pose, placement, -grip.normal, FINGERS)


_STARTS: Mapping[str, Callable[[HandRig, Wanted, np.random.Generator], Start]] = {
    "power": _around,
    "wrap": _around,
    "hook": _hooked,
    "pinch": _opposed,
    "twist": _opposed,
    "push": _pointing,
    "palm": _flat,
}


def _thumb_side(wanted: Wanted, random: np.random.Generator) -> Array:
    """Where the columns of the frame want the thumb's side of a right hand."""
    axis = wanted.grip.axis
    along = float(axis @ wanted.thumb)
    either = 1.0 if random.random() < 0.5 else -1.0
    sign = float(np.sign(along)) if abs(along) > 0.02 else either
    return axis * sign * (-1.0 if wanted.left else 1.0)


def _frame(palm: Array, thumb: Array) -> Array:
    """Rotation whose columns are palm, thumb's side and fingers; the palm is kept exactly."""
    thumb = thumb - palm * (palm @ thumb)
    thumb = thumb / np.linalg.norm(thumb)
    return np.stack([palm, thumb, np.cross(palm, thumb)], axis=1)


def _placed(frame: Array, own: Array, target: Array, wanted: Wanted) -> Placement:
    """Put a point of the hand on a point of the object."""
    at_origin = Placement(frame, np.zeros(3), wanted.scale, wanted.left)
    return at_origin.moved(target - at_origin.apply(own[None])[0])
