"""A hand closing on an object: where it is, how far each joint bends before it touches.

The hand is a kinematic one: joints bend outwards from the palm until their bone or one behind it
touches, as the tendons of a finger do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from render_affordances.hands.contact import Distances, hand_surface
from render_affordances.hands.rig import FINGERS, HandPose, HandRig

Array = NDArray[np.float64]

CLOSED = {
    "thumb": (25.0, 55.0, 70.0),
    "index": (88.0, 100.0, 65.0),
    "middle": (88.0, 100.0, 65.0),
    "ring": (88.0, 100.0, 65.0),
    "pinky": (85.0, 95.0, 60.0),
}
"""Farthest flexion of the joints of each digit, in degrees."""

PRESSED_METRES = 0.0015  # how far skin gives way
_STEPS = 12
_HALVINGS = 3


@dataclass(frozen=True)
class Placement:
    """Where a hand is: the frame of the hand in that of the object.

    Attributes:
        rotation: (3, 3), its columns are the palm's direction, the thumb's side of a right
            hand, and the direction of the fingers.
        shift: (3,) metres.
        scale: size of the hand, 1 for the asset's.
        left: the hand is mirrored, so that the thumb is on the other side.
    """

    rotation: Array
    shift: Array
    scale: float = 1.0
    left: bool = False

    def apply(self, points: Array) -> Array:
        """Move points of the hand, (N, 3), into the frame of the object."""
        size = np.array([1.0, -1.0 if self.left else 1.0, 1.0]) * self.scale
        return np.asarray((points * size) @ self.rotation.T + self.shift)

    def moved(self, offset: Array) -> Placement:
        """The same hand elsewhere."""
        return Placement(self.rotation, self.shift + offset, self.scale, self.left)


class Closing:
    """Closes the digits of one placed hand.

    Args:
        rig: the hand.
        placement: where it is.
        surface: what stops it.
        to_nearest: a digit that misses the object stays where it came nearest to it, as the
            fingertips of a precision grip do; else it bends as far as it goes.
    """

    def __init__(
        self,
        rig: HandRig,
        placement: Placement,
        surface: Distances,
        to_nearest: bool = False,
    ) -> None:
        self.to_nearest = to_nearest
        self.rig = rig
        self.placement = placement
        self.surface = surface

    def close(self, pose: HandPose, digits: Sequence[str]) -> HandPose:
        """Bend digits until they touch.

        Args:
            pose: the hand before.
            digits: which ones bend; the thumb is best the last, since the fingers stop it too.

        Returns:
            The pose in which every joint of these digits touches with its bone or one behind
            it, or is bent as far as it goes.
        """
        for digit in digits:
            obstacle = self._fingers(pose) if digit == "thumb" else None
            for joint in range(3):
                pose = self._close_from(pose, digit, joint, obstacle)
        return pose

    def _close_from(
        self, pose: HandPose, digit: str, joint: int, obstacle: Distances | None
    ) -> HandPose:
        """Bend one joint and those after it together, until the first of them touches."""
        start = np.array(pose.curls.get(digit, (0.0, 0.0, 0.0)))
        goal = np.maximum(np.array(CLOSED[digit]), start)
        goal[:joint] = start[:joint]

        def bent(share: float) -> HandPose:
            angles = start + share * (goal - start)
            return pose.with_curl(digit, (angles[0], angles[1], angles[2]))

        free, blocked = 0.0, 1.0
        gaps = []
        for step in range(1, _STEPS + 1):
            share = step / _STEPS
            gaps.append(self._gap(bent(share), digit, joint, obstacle))
            if gaps[-1] < -PRESSED_METRES:
                blocked = share
                break
            free = share
        else:
            before = self._gap(pose, digit, joint, obstacle)
            nearest = int(np.argmin([before, *gaps]))
            return bent(nearest / _STEPS if self.to_nearest else 1.0)
        for _ in range(_HALVINGS):
            middle = (free + blocked) / 2
            if self._gap(bent(middle), digit, joint, obstacle) < -PRESSED_METRES:
                blocked = middle
            else:
                free = middle
        return bent(free)

    def _gap(self, pose: HandPose, digit: str, joint: int, obstacle: Distances | None) -> float:
        """Least distance of a digit from what stops it, negative where it presses."""
        points = self.placement.apply(self.rig.bone_vertices(digit, joint, pose))
        gap = float(self.surface.signed_distance(points).min())
        if obstacle is not None:
            gap = min(gap, float(obstacle.signed_distance(points).min()))
        return gap

    def _fingers(self, pose: HandPose) -> Distances:
        """The closed fingers as a surface that stops the thumb."""
        posed = self.placement.apply(self.rig.pose(pose))
        triangles = self.rig.triangles
        if self.placement.left:
            triangles = triangles[:, ::-1]
        own = np.zeros(len(posed), bool)
        for finger in FINGERS:
            own[self.rig.digit_vertices(finger, 0.7)] = True
        return hand_surface(posed, triangles[own[triangles].all(axis=1)])


def approach(placement: Placement, skin: Array, surface: Distances, direction: Array) -> Placement:
    """Move a hand against an object until it touches.

    Args:
        placement: where it is about; the way is sought from 6 cm before it to 6 cm after.
        skin: (N, 3) points of the hand, in its own frame, that touch.
        surface: of the object.
        direction: (3,) unit vector of the movement.

    Returns:
        The last place before the hand would press into the object, or 6 cm farther where it
        meets nothing.
    """
    points = placement.apply(skin)
    best = -0.06
    for step in np.arange(-0.06, 0.0601, 0.004):
        if _blocked(surface, points + step * direction):
            break
        best = step
    fine = 0.004
    while fine > 0.001:
        fine /= 2
        if not _blocked(surface, points + (best + fine) * direction):
            best += fine
    return placement.moved(best * direction)


def _blocked(surface: Distances, points: Array) -> bool:
    return bool(surface.signed_distance(points).min() < -PRESSED_METRES)
