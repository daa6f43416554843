"""What is going on in an exocentric picture: the object's pose, its target, whoever takes part.

Everything is in the frame of the picture: metres, z up, the table (where there is one) at z = 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from render_affordances.acts.people import BodyPiece, build_head, build_seated
from render_affordances.acts.targets import (
    Target,
    build_ball,
    build_canvas,
    build_food,
    build_nail,
    build_paper,
    build_sheet,
    build_shoe,
    build_timber,
    build_vessel,
    stream,
    stream_reach,
)
from render_affordances.hands.rig import rotation
from render_affordances.meshes.geometry import turn_matrix
from render_affordances.meshes.model import Array, Grip, ObjectModel, Surface, ToolEnd
from render_affordances.shapes.parts.assembly import transformed

POURERS = frozenset({"jug", "kettle", "teapot", "watering_can"})
VESSELS = POURERS | {"bottle", "glass", "jar", "mug", "pan"}
_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Act:
    """An object in use, before the hand takes it.

    Attributes:
        model: the object where it is in the picture.
        rotation: (3, 3) that brought it there from its pose at rest.
        shift: (3,) likewise, applied after the rotation.
        grips: that do, the likeliest first, in the frame of the picture.
        thumbs: for each grip the (3,) direction the thumb's side should have along the grip's
            axis; zeros where either will do.
        targets: what the object acts on, in place.
        people: dolls that take part.
        floor: height of the table; None where the object hangs on a wall or in the air.
        handed: False where no hand takes part.
    """

    model: ObjectModel
    rotation: Array
    shift: Array
    grips: tuple[Grip, ...]
    thumbs: tuple[Array, ...]
    targets: tuple[Target, ...] = ()
    people: tuple[BodyPiece, ...] = ()
    floor: float | None = 0.0
    handed: bool = True

    @property
    def extras(self) -> tuple[Surface, ...]:
        """Surfaces of all targets."""
        return tuple(one for target in self.targets for one in target.surfaces)


def stage(model: ObjectModel, action: str, random: Generator, left: bool) -> Act:
    """Set up an object in use.

    Args:
        model: at rest.
        action: that it affords.
        random: decides everything.
        left: whether a left hand will take it.

    Returns:
        One way the action is done; where no hand fits, draw another.
    """
    build = _STAGES.get(action, _in_place)
    if action == "cut_with" and model.name == "scissors":
        build = _snip
    return build(model, action, random, left)


def _act(
    model: ObjectModel,
    action: str,
    turn: Array,
    shift: Array,
    random: Generator,
    left: bool,
    **rest: object,
) -> Act:
    placed = transformed(model, turn, shift)
    found = list(placed.grips[action])
    random.shuffle(found)
    end = placed.ends.get(action) or next(iter(placed.ends.values()), None)
    grips = tuple(_natural(grip, end, left) for grip in found)
    thumbs = tuple(_thumb(placed, action, grip, end, random) for grip in grips)
    act = Act(placed, turn, shift, grips, thumbs)
    return replace(act, **rest)  # type: ignore[arg-type]


def _natural(grip: Grip, end: ToolEnd | None, left: bool) -> Grip:
    """Let the hand come from where it can bring its strength to bear on the tool's end."""
    if grip.grasp != "power" or end is None:
        return grip
    push = end.direction - grip.axis * float(end.direction @ grip.axis)
    if float(np.linalg.norm(push)) < 0.6 or abs(float(end.direction @ grip.normal)) > 0.6:
        return grip
    axis = grip.axis * (1.0 if float((end.point - grip.point) @ grip.axis) > 0 else -1.0)
    push /= np.linalg.norm(push)
    palm = np.cross(axis, push) * (-1.0 if left else 1.0)
    return replace(grip, normal=-palm / np.linalg.norm(palm))


def _thumb(
    model: ObjectModel, action: str, grip: Grip, end: ToolEnd | None, random: Generator
) -> Array:
    if model.name in VESSELS and abs(grip.axis[2]) > 0.5:
        return _UP
    if end is not None and action not in ("stir", "brush_with"):
        return end.point - grip.point
    if action == "hold" and model.name not in VESSELS:
        middle = (model.vertices.min(axis=0) + model.vertices.max(axis=0)) / 2
        return np.asarray(middle - grip.point)
    if action in ("stir", "brush_with") and end is not None:
        sign = -1.0 if random.random() < 0.65 else 1.0
        return sign * (end.point - grip.point)
    return np.zeros(3)


# ---- without a target --------------------------------------------------------------------


def _in_place(model: ObjectModel, action: str, random: Generator, left: bool) -> Act:
    """The object where it stands or hangs."""
    turn = np.eye(3) if model.support == "wall" else turn_matrix("z", float(random.normal(0, 12)))
    if model.support == "table" and model.name not in ("microwave", "panel"):
        turn = turn_matrix("z", float(random.uniform(0, 360)))
    lift = 0.0
    if action in ("open", "press") and model.name in ("bottle", "jar", "remote"):
        lift = float(random.choice([0.0, 0.0, random.uniform(0.05, 0.2)]))
    floor = None if model.support == "wall" or lift else 0.0
    shift = np.array([0.0, 0.0, lift])
    return _act(model, action, turn, shift, random, left, floor=floor)


def _held(model: ObjectModel, action: str, random: Generator, left: bool) -> Act:
    """The object in the air, or a vessel that stands on the table."""
    turn = turn_matrix("z", float(random.uniform(0, 360)))
    standing = model.name in VESSELS and random.random() < 0.4
    if standing:
        return _act(model, action, turn, np.zeros(3), random, left)
    if model.name in VESSELS:
        tip = turn_matrix("x", float(random.normal(0, 9))) @ turn_matrix(
            "y", float(random.normal(0, 9))
        )
    else:
        heading = turn_matrix("y", float(random.normal(-25, 40)))
        tip = turn @ heading @ turn_matrix("x", float(random.normal(60, 60)))
    turn = tip @ turn if model.name in VESSELS else tip
    low = float((model.vertices @ turn.T)[:, 2].min())
    shift = np.array([0.0, 0.0, float(random.uniform(0.05, 0.25)) - low])
    return _act(model, action, turn, shift, random, left)


def _sit(model: ObjectModel, action: str, random: Generator, left: bool) -> Act:
    """A person on the seat."""
    turn = turn_matrix("z", float(random.uniform(0, 360)))
    act = _act(model, action, turn, np.zeros(3), random, left, handed=False)
    grip = act.grips[0]
    facing = turn @ turn_matrix("z", float(random.normal(0, 8)))
    back = -(turn @ np.array([0.0, -1.0, 0.0])) * float(random.uniform(0.0, 0.05))
    people = tuple(piece.placed(facing, grip.point + back) for piece in build_seated(random))
    return replace(act, people=people)


def _drink(model: ObjectModel, action: str, random: Generator, left: bool) -> Act:
    """The vessel is tilted, mostly towards a mouth."""
    rim = model.part_vertices(*model.part_ids(action))
    middle = (rim.min(axis=0) + rim.max(axis=0)) / 2
    grips = model.grips[action]
    grip = grips[int(random.integers(len(grips)))]
    outwards = grip.normal * np.array([1.0, 1.0, 0.0])
    outwards /= np.linalg.norm(outwards)
    # A handle is beside the mouth, a hand around the body opposite to it.
    angle = float(random.normal(90, 12)) * (1 if left else -1)
    if grip.grasp == "wrap":
        angle = float(random.normal(110, 20)) * (1 if left else -1)
    mouthward = turn_matrix("z", angle) @ outwards
    lean = float(random.uniform(15, 60))
    tilt = rotation(np.cross(_UP, mouthward), lean)
    turn = turn_matrix("z", float(random.uniform(0, 360))) @ tilt
    low = float((model.vertices @ turn.T)[:, 2].min())
    shift = np.array([0.0, 0.0, float(random.uniform(0.1, 0.3)) - low])
    chosen = replace(model, grips={**model.grips, action: (grip,)})
    act = _act(chosen, action, turn, shift, random, left, floor=None)
    if random.random() < 0.15:
        return act
    edge = middle + mouthward * float(((rim - middle) @ mouthward).max())
    lips = turn @ edge + shift
    towards = turn @ mouthward * np.array([1.0, 1.0, 0.0])
    towards /= np.linalg.norm(towards)
    yaw = float(np.degrees(np.arctan2(-towards[1], -towards[0])))
    back = float(np.clip((lean - 25) * 0.7, -5, 35))
    face = turn_matrix("z", yaw) @ turn_matrix("y", -back)
    # The rim rests on the lower lip.
    people = tuple(
        piece.placed(face, lips + 0.006 * towards + [0, 0, 0.004]) for piece in build_head(random)
    )
    return replace(act, people=people)


# ---- with a target -----------------------------------------------------------------------


def _aligned(end: ToolEnd, direction: Array, edge: Array) -> Array:
    """Rotation that turns a tool's direction and, as far as it goes, its edge to others."""

    def frame(first: Array, second: Array) -> Array:
        second = second - first * float(first @ second)
        second = second / np.linalg.norm(second)
        return np.stack([first, second, np.cross(first, second)], axis=1)

    return np.asarray(frame(direction, edge) @ frame(end.direction, end.edge).T)


def _away(model: ObjectModel, action: str) -> Array:
    """The edge's direction that points from the grip to the tool's end."""
    end, grip = model.ends[action], model.grips[action][0]
    sign = 1.0 if float((end.point - grip.point) @ end.edge) >= 0 else -1.0
    return end.edge * sign


def _downwards(model: ObjectModel, action: str, random: Generator, pitch: float) -> Array:
    """Rotation that makes a tool act downwards, its handle raised by some degrees."""
    end = replace(model.ends[action], edge=_away(model, action))
    yaw = turn_matrix("z", float(random.uniform(0, 360)))
    lean = turn_matrix("x", float(random.normal(0, 7)))
    tipped = yaw @ lean @ turn_matrix("y", pitch)
    return _aligned(end, tipped @ -_UP, tipped @ np.array([1.0, 0.0, 0.0]))


def _cut(model: ObjectModel, action: str, random: Generator, left: bool) -> Act:
    heavy = model.name in ("saw", "axe")
    target = build_timber(random) if heavy else build_food(random)
    turn = _downwards(model, action, random, float(random.uniform(-4, 14)))
    end = model.ends[action]
    edge = turn @ end.edge
    across = float(np.degrees(np.arctan2(edge[1], edge[0]))) + float(random.normal(0, 12))
    place = turn_matrix("z", across)
    deep = target.room * float(random.uniform(0.1, 0.95))
    met = place @ target.point
    slide = end.point + end.edge * end.length * float(random.uniform(-0.25, 0.25))
    shift = met - [0, 0, deep] - turn @ slide
    clearance = 0.004 + (0 if heavy else float(target.point[2]) * 0.2)
    low = float((model.vertices @ turn.T + shift)[:, 2].min())
    shift = shift + max(0.0, clearance - low) * _UP
    return _act(
        model, action, turn, shift, random, left, targets=(target.placed(place, np.zeros(3)),)
    )


def _snip(model: ObjectModel, action: str, random: Generator, left: bool) -> Act:
    """Scissors on a sheet that hangs between their blades."""
    end, grip = model.ends[action], model.grips[action][0]
    sheet = build_sheet(random)
    forward = end.direction
    opening = np.cross(np.cross(forward, grip.axis), forward)
    opening /= np.linalg.norm(opening)
    frame = np.stack([forward, np.cross(opening, forward), opening], axis=1)
    local = sheet.placed(frame, end.point - forward * end.length * 0.2)
    turn = turn_matrix("z", float(random.uniform(0, 360))) @ turn_matrix(
        "y", float(random.normal(0, 25))
    )
    turn = turn @ turn_matrix("x", float(random.choice([-90, 90])) + float(random.normal(0, 25)))
    low = float((model.vertices @ turn.T)[:, 2].min())
    shift = np.array([0.0, 0.0, float(random.uniform(0.15, 0.3)) - low])
    target = local.placed(turn, shift)
    return _act(model, action, turn, shift, random, left, targets=(target,))


def _hit(model: ObjectModel, action: str, random: Generator, left: bool) -> Act:
    sport = model.name in ("bat", "racket")
    target = build_ball(random) if sport else build_nail(random)
    turn = _downwards(model, action, random, float(random.normal(-3, 6)))
    end = model.ends[action]
    gap = 0.0 if random.random() < 0.5 else float(random.exponential(0.02))
    met = target.point + gap * _UP
    shift = met - turn @ end.point
    if not sport:
        return _act(model, action, turn, shift, random, left, targets=(target,))
    # In play nothing rests on a table: turn the whole about any axis.
    whole = rotation(random.normal(0, 1, 3), float(random.uniform(0, 180)))
    turn, shift = whole @ turn, whole @ shift
    ball = target.placed(whole, np.zeros(3))
    low = float((model.vertices @ turn.T + shift)[:, 2].min())
    lift = np.array([0.0, 0.0, 0.6 - low])
    moved = (ball.placed(np.eye(3), lift),)
    return _act(model, action, turn, shift + lift, random, left, targets=moved, floor=None)


def _pour(model: ObjectModel, action: str, random: Generator, left: bool) -> Act:
    end = model.ends[action]
    axis = np.cross(_UP, end.direction)
    tilt = rotation(axis, float(random.uniform(18, 48)))
    turn = turn_matrix("z", float(random.uniform(0, 360))) @ tilt
    cup = build_vessel(random, float(random.uniform(0.028, 0.05)))
    rim = max(float(one.vertices[:, 2].max()) for one in cup.surfaces)
    spout = turn @ end.point
    low = float((model.vertices @ turn.T)[:, 2].min())
    height = rim + float(random.uniform(0.02, 0.1))
    shift = np.array([0.0, 0.0, max(height - float(spout[2]), 0.01 - low)])
    spout = spout + shift
    heading = turn @ end.direction
    level = cup.room
    fall = float(spout[2]) - level
    flat = heading * np.array([1.0, 1.0, 0.0])
    below = spout * [1, 1, 0] + flat * stream_reach(max(fall, 0.01))
    cup = cup.placed(turn_matrix("z", float(random.uniform(0, 360))), below)
    water = Target("stream", (stream(spout, heading, level, random),), spout)
    return _act(model, action, turn, shift, random, left, targets=(cup, water))


def _stir(model: ObjectModel, action: str, random: Generator, left: bool) -> Act:
    end = model.ends[action]
    bowl = build_vessel(random, float(random.uniform(0.7, 1.3)) * end.length + 0.012)
    lean = float(random.uniform(8, 38))
    roll = turn_matrix("z", float(random.uniform(0, 360)))
    down = roll @ rotation(np.array([0.0, 1.0, 0.0]), lean) @ -_UP
    turn = _aligned(end, down, roll @ np.array([0.0, 1.0, 0.0]))
    turn = rotation(down, float(random.uniform(-60, 60))) @ turn
    # The shaft leans to one side, the end is on the other side of the bowl.
    off = down * np.array([1.0, 1.0, 0.0]) * float(random.uniform(0.0, 0.06))
    met = bowl.point + off
    low = float(((model.vertices - end.point) @ turn.T)[:, 2].min())
    met = met + (max(0.0, -low) + 0.003) * _UP
    shift = met - turn @ end.point
    return _act(model, action, turn, shift, random, left, targets=(bowl,))


def _on_surface(model: ObjectModel, action: str, random: Generator, left: bool) -> Act:
    """A pen on paper, a brush on what it paints or cleans."""
    end, grip = model.ends[action], model.grips[action][0]
    if action == "write":
        target = build_paper(random)
    elif model.name == "toothbrush":
        target = build_shoe(random)
    else:
        target = build_canvas(random)
    target = target.placed(turn_matrix("z", float(random.uniform(0, 360))), np.zeros(3))
    heading = turn_matrix("z", float(random.uniform(0, 360))) @ np.array([1.0, 0.0, 0.0])
    along = end.point - grip.point
    along /= np.linalg.norm(along)
    if float(along @ end.direction) > 0.8:  # it acts with its tip, and slants
        slope = np.deg2rad(float(random.uniform(38, 65)))
        down = np.cos(slope) * heading - np.sin(slope) * _UP
        turn = _aligned(end, down, np.cross(_UP, heading))
        turn = rotation(down, float(random.uniform(0, 360))) @ turn
    else:
        turn = _aligned(replace(end, edge=_away(model, action)), -_UP, heading)
        turn = rotation(np.cross(heading, _UP), float(random.uniform(-3, 12))) @ turn
    shift = target.point - turn @ end.point + [0, 0, 0.001]
    return _act(model, action, turn, shift, random, left, targets=(target,))


Stage = Callable[[ObjectModel, str, Generator, bool], Act]

_STAGES: Mapping[str, Stage] = {
    "hold": _held,
    "drink_with": _drink,
    "cut_with": _cut,
    "hit": _hit,
    "pour": _pour,
    "stir": _stir,
    "write": _on_surface,
    "brush_with": _on_surface,
    "sit_on": _sit,
}
