"""The hand bends as a hand does, and is read from a checked file alone."""

from __future__ import annotations

import json
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from render_affordances.hands.asset import (
    MEMBER,
    HandAssetError,
    extract_member,
    load_hand_file,
)
from render_affordances.hands.rig import DIGITS, HandPose, HandRig, read_hand, rotation

angles = st.floats(-20, 100)


def test_a_straight_pose_is_the_hand_at_rest(toy_rig: HandRig) -> None:
    np.testing.assert_allclose(toy_rig.pose(HandPose()), toy_rig.vertices, atol=1e-12)


@pytest.mark.parametrize("finger", ["index", "middle", "ring", "pinky"])
def test_flexing_moves_a_fingertip_to_the_palm_side(toy_rig: HandRig, finger: str) -> None:
    straight = toy_rig.tip(finger, HandPose())
    bent = toy_rig.tip(finger, HandPose({finger: (60.0, 60.0, 30.0)}))
    assert bent[0] > straight[0] + 0.03
    assert bent[2] < straight[2] - 0.03


def test_opposition_brings_the_thumb_before_the_palm(toy_rig: HandRig) -> None:
    opposed = toy_rig.tip("thumb", HandPose(opposition=70.0))
    assert opposed[0] > toy_rig.tip("thumb", HandPose())[0] + 0.02


def test_abduction_takes_the_opposed_thumb_away_from_the_fingers(toy_rig: HandRig) -> None:
    near = toy_rig.tip("thumb", HandPose(opposition=70.0))
    assert toy_rig.tip("thumb", HandPose(opposition=70.0, abduction=40.0))[2] < near[2] - 0.02


@given(first=angles, second=angles, third=angles, digit=st.sampled_from(DIGITS))
@settings(deadline=None, max_examples=25)
def test_a_rotation_is_carried_to_the_bones_behind_it(
    toy_rig: HandRig, first: float, second: float, third: float, digit: str
) -> None:
    pose = HandPose({digit: (first, second, third)})
    (_, upper), (_, middle), (_, last) = toy_rig.motions(digit, pose).items()
    names = list(toy_rig.motions(digit, pose))
    for (turn, shift), (further, offset), name in (
        (upper, middle, names[1]),
        (middle, last, names[2]),
    ):
        joint = toy_rig.joints[name]  # stays where the bones meet
        np.testing.assert_allclose(turn @ joint + shift, further @ joint + offset, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(last[0]), 1.0)


def test_a_digit_alone_moves_as_in_the_whole_hand(toy_rig: HandRig) -> None:
    pose = HandPose({"ring": (30.0, 50.0, 20.0)}, {"ring": -4.0})
    whole = toy_rig.pose(pose)[toy_rig.digit_vertices("ring", 0.6)]
    np.testing.assert_allclose(toy_rig.bone_vertices("ring", 0, pose), whole, atol=1e-12)


def test_unknown_digits_are_named() -> None:
    with pytest.raises(ValueError, match="little"):
        HandPose({"little": (0.0, 0.0, 0.0)})


@given(x=st.floats(-1, 1), y=st.floats(-1, 1), turn=st.floats(-360, 360))
@settings(deadline=None)
def test_rotations_are_proper_and_keep_their_axis(x: float, y: float, turn: float) -> None:
    axis = np.array([x, y, 1.0])
    matrix = rotation(axis, turn)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(matrix @ axis, axis, atol=1e-9)


def _gltf() -> bytes:
    """A tetrahedron with a doubled corner, bound to one joint."""
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], np.float32)
    indices = np.array([0, 2, 1, 4, 1, 3, 0, 3, 2, 1, 2, 3], np.uint16)
    joints, weights = np.zeros((5, 4), np.uint8), np.tile(np.float32([1, 0, 0, 0]), (5, 1))
    blobs = [points.tobytes(), indices.tobytes(), joints.tobytes(), weights.tobytes()]
    views, start = [], 0
    for blob in blobs:
        views.append({"buffer": 0, "byteOffset": start, "byteLength": len(blob)})
        start += len(blob)
    kinds = [(5126, 5, "VEC3"), (5123, 12, "SCALAR"), (5121, 5, "VEC4"), (5126, 5, "VEC4")]
    accessors = [
        {"bufferView": k, "componentType": c, "count": n, "type": t}
        for k, (c, n, t) in enumerate(kinds)
    ]
    attributes = {"POSITION": 0, "JOINTS_0": 2, "WEIGHTS_0": 3}
    node = {"name": "wrist", "translation": [0.1, 0.2, 0.3], "rotation": [0, 0, 0, 1]}
    document = {
        "bufferViews": views,
        "accessors": accessors,
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 1}]}],
        "skins": [{"joints": [0]}],
        "nodes": [node],
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    head = b"glTF" + struct.pack("<IIII", 2, 0, len(text), 0x4E4F534A)
    binary = b"".join(blobs)
    return head + text + struct.pack("<II", len(binary), 0x004E4942) + binary


def test_corners_doubled_in_the_file_are_joined() -> None:
    rig = read_hand(_gltf())
    assert rig.vertices.shape == (4, 3)
    assert rig.triangles.shape == (4, 3)
    np.testing.assert_allclose(rig.joints["wrist"], [-0.1, -0.3, -0.2])
    np.testing.assert_allclose(rig.weights["wrist"], 1.0)


@pytest.mark.parametrize("content", [b"", b"PK" + bytes(40), b"glTF" + bytes(8)])
def test_another_file_is_no_hand(content: bytes) -> None:
    with pytest.raises(ValueError, match="glTF"):
        read_hand(content)


def test_only_the_published_hand_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "right.glb"
    file.write_bytes(_gltf())
    with pytest.raises(HandAssetError, match="sha256"):
        load_hand_file(file)
    with pytest.raises(HandAssetError, match="cannot be read"):
        load_hand_file(tmp_path / "missing.glb")


def test_a_changed_archive_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    content = tmp_path / "right.glb"
    content.write_bytes(_gltf())
    archive, target = tmp_path / "assets.tgz", tmp_path / "out.glb"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(content, MEMBER)
    with pytest.raises(HandAssetError, match="integrity"):
        extract_member(archive, target)
    assert not target.exists()
