"""A rigged right hand: read from binary glTF, posed by its joints, in plain numpy.

Frame of the hand, metres, origin of the asset in the middle of the palm: x out of the palm,
y towards the thumb, z towards the fingertips (a left hand is its mirror image in y). The joints
lie flat beside each other in the file, so a rotation of one is carried to those after it here.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FINGERS = ("index", "middle", "ring", "pinky")
DIGITS = ("thumb", *FINGERS)
_CHAINS: Mapping[str, tuple[str, ...]] = {
    "thumb": ("thumb-metacarpal", "thumb-phalanx-proximal", "thumb-phalanx-distal"),
    **{
        finger: tuple(
            f"{finger}-finger-phalanx-{bone}" for bone in ("proximal", "intermediate", "distal")
        )
        for finger in FINGERS
    },
}
_TIPS = {digit: f"{digit}-tip" if digit == "thumb" else f"{digit}-finger-tip" for digit in DIGITS}
_FROM_ASSET = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, -1.0, 0.0]])
_COMPONENTS = {5121: ("u1", 1), 5123: ("<u2", 2), 5126: ("<f4", 4)}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


@dataclass(frozen=True)
class HandPose:
    """Angles of the joints, in degrees.

    Attributes:
        curls: digit to the flexion of its three joints from the palm outwards; a digit that is
            not named is straight. The thumb's first is its base.
        spreads: finger to its turn away from the middle finger, towards the thumb positive.
        opposition: turn of the thumb's base about the axis of the hand, in front of the palm.
        abduction: turn of the thumb's base away from the palm, after the opposition.
    """

    curls: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    spreads: Mapping[str, float] = field(default_factory=dict)
    opposition: float = 0.0
    abduction: float = 0.0

    def __post_init__(self) -> None:
        for name, known in (("curls", DIGITS), ("spreads", FINGERS)):
            unknown = sorted(set(getattr(self, name)) - set(known))
            if unknown:
                raise ValueError(f"{name} must name digits of {list(known)}, got {unknown}")

    def with_curl(self, digit: str, angles: tuple[float, float, float]) -> HandPose:
        """The same pose with one digit at another flexion."""
        return replace(self, curls={**self.curls, digit: angles})


@dataclass(frozen=True)
class HandRig:
    """The hand at rest, straight and flat.

    Attributes:
        vertices: (V, 3) in the frame of the hand.
        triangles: (F, 3) indices, counter-clockwise from outside.
        joints: name of a joint to its (3,) position.
        axes: name of a joint to the (3,) axis about which it flexes.
        weights: name of a joint to its (V,) share in each vertex.
    """

    vertices: Array
    triangles: NDArray[np.int64]
    joints: Mapping[str, Array]
    axes: Mapping[str, Array]
    weights: Mapping[str, Array]

    def pose(self, pose: HandPose) -> Array:
        """Bend the hand.

        Args:
            pose: angles of the joints.

        Returns:
            Vertices, (V, 3).
        """
        moved = np.zeros_like(self.vertices)
        rest = np.ones(len(self.vertices))
        for digit in DIGITS:
            for name, (turn, shift) in self.motions(digit, pose).items():
                weight = self.weights[name]
                moved += weight[:, None] * (self.vertices @ turn.T + shift)
                rest -= weight
        return np.asarray(moved + rest[:, None] * self.vertices)

    def tip(self, digit: str, pose: HandPose) -> Array:
        """Find the end of a digit's bone, (3,), about 5 mm inside its skin."""
        turn, shift = list(self.motions(digit, pose).values())[-1]
        return np.asarray(turn @ self.joints[_TIPS[digit]] + shift)

    def digit_vertices(self, digit: str, share: float = 0.5) -> NDArray[np.int64]:
        """Indices of the vertices that follow a digit by more than a share."""
        weight = np.sum([self.weights[name] for name in _CHAINS[digit]], axis=0)
        return np.flatnonzero(weight > share)

    def bone_vertices(self, digit: str, joint: int, pose: HandPose) -> Array:
        """Bend one digit alone.

        Args:
            digit: which one.
            joint: the first bone wanted, 0 nearest the palm.
            pose: angles of the joints.

        Returns:
            (N, 3) vertices that mostly follow that bone or one after it.
        """
        names = _CHAINS[digit]
        own = np.sum([self.weights[name] for name in names[joint:]], axis=0) > 0.6
        rest = self.vertices[own]
        moved = np.zeros_like(rest)
        left = np.ones(len(rest))
        for name, (turn, shift) in self.motions(digit, pose).items():
            weight = self.weights[name][own]
            moved += weight[:, None] * (rest @ turn.T + shift)
            left -= weight
        return np.asarray(moved + left[:, None] * rest)

    def palm_skin(self, posed: Array) -> Array:
        """Points on the skin of the palm and the back of a posed hand, (N, 3).

        They are the vertices and the middles of the triangles that follow no digit.
        """
        digits = np.sum([self.weights[n] for d in DIGITS for n in _CHAINS[d]], axis=0)
        own = digits < 0.5
        middles = posed[self.triangles[own[self.triangles].all(axis=1)]].mean(axis=1)
        return np.concatenate([posed[own], middles])

    def motions(self, digit: str, pose: HandPose) -> dict[str, tuple[Array, Array]]:
        """How the bones of a digit move from rest: joint to rotation (3, 3) and shift (3,)."""
        turn, shift = np.eye(3), np.zeros(3)
        angles = pose.curls.get(digit, (0.0, 0.0, 0.0))
        motions = {}
        for number, (name, angle) in enumerate(zip(_CHAINS[digit], angles, strict=True)):
            own = rotation(self.axes[name], angle)
            if number == 0 and digit == "thumb":
                opposed = rotation(np.array([0.0, 0.0, 1.0]), -pose.opposition)
                own = rotation(np.array([0.0, 1.0, 0.0]), pose.abduction) @ opposed @ own
            elif number == 0:
                own = own @ rotation(np.array([1.0, 0.0, 0.0]), -pose.spreads.get(digit, 0.0))
            head = self.joints[name]
            shift = shift + turn @ (head - own @ head)
            turn = turn @ own
            motions[name] = (turn, shift)
        return motions


def rotation(axis: Array, degrees: float) -> Array:
    """Rotation about an axis by Rodrigues' formula.

    Args:
        axis: (3,), of any length but 0.
        degrees: counter-clockwise seen against the axis.

    Returns:
        (3, 3) matrix for column vectors.
    """
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    angle = np.deg2rad(degrees)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def read_hand(content: bytes) -> HandRig:
    """Read the rig from a binary glTF file with one skinned mesh.

    Args:
        content: of `right.glb`.

    Returns:
        The rig; vertices that the file doubles along texture seams are joined.

    Raises:
        ValueError: it is not such a file.
    """
    document, binary = _chunks(content)
    try:
        primitive = document["meshes"][0]["primitives"][0]
        skin = document["skins"][0]
        nodes = [document["nodes"][index] for index in skin["joints"]]
        attributes = primitive["attributes"]
    except (KeyError, IndexError) as error:
        raise ValueError(f"the hand must be a glTF file with a skinned mesh: {error}") from error
    joined, first, number = np.unique(
        _accessor(document, binary, attributes["POSITION"]).round(5),
        axis=0,
        return_index=True,
        return_inverse=True,
    )
    triangles = number.reshape(-1)[
        _accessor(document, binary, primitive["indices"]).astype(int).reshape(-1, 3)
    ]
    slots = _accessor(document, binary, attributes["JOINTS_0"])[first]
    shares = _accessor(document, binary, attributes["WEIGHTS_0"])[first].astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    return HandRig(
        vertices=joined.astype(np.float64) @ _FROM_ASSET.T,
        triangles=triangles,
        joints={n["name"]: _FROM_ASSET @ np.array(n["translation"]) for n in nodes},
        axes={n["name"]: -(_FROM_ASSET @ _matrix(n["rotation"])[:, 0]) for n in nodes},
        weights={
            node["name"]: (shares * (slots == slot)).sum(axis=1) for slot, node in enumerate(nodes)
        },
    )


def _chunks(content: bytes) -> tuple[dict[str, Any], bytes]:
    if content[:4] != b"glTF" or len(content) < 20:
        raise ValueError("the hand must be a binary glTF file (it starts with 'glTF')")
    (length,) = struct.unpack_from("<I", content, 12)
    document: dict[str, Any] = json.loads(content[20 : 20 + length])
    return document, content[28 + length :]


def _accessor(document: dict[str, Any], binary: bytes, index: int) -> NDArray[Any]:
    accessor = document["accessors"][index]
    view = document["bufferViews"][accessor["bufferView"]]
    kind, _ = _COMPONENTS[accessor["componentType"]]
    width = _WIDTHS[accessor["type"]]
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    values = np.frombuffer(binary, kind, accessor["count"] * width, start)
    return values.reshape(-1, width)


def _matrix(quaternion: list[float]) -> Array:
    x, y, z, w = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
