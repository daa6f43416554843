"""Hands close until they touch, do not press through, and give up honestly."""

from __future__ import annotations

import numpy as np
import pytest

from render_affordances.hands.closing import Placement
from render_affordances.hands.contact import PointSurface, sample_surface
from render_affordances.hands.grasping import Grasp, GraspLimits, find_grasp
from render_affordances.hands.poses import Wanted, draw_start
from render_affordances.hands.rig import HandRig
from render_affordances.meshes.geometry import Mesh, box, sweep
from render_affordances.meshes.model import Grip

X, Z = np.array([1.0, 0, 0]), np.array([0, 0, 1.0])


def _surface(mesh: Mesh) -> PointSurface:
    vertices, faces = mesh
    parts = np.ones(len(faces), np.uint8)
    return sample_surface(vertices, faces, parts, 0.003, np.random.default_rng(0))


def _bar(radius: float) -> Mesh:
    height = np.linspace(0, 0.25, 20)
    return sweep(np.stack([0 * height, 0 * height, height], axis=1), radius, 24)


def _find(
    rig: HandRig, mesh: Mesh, grip: Grip, left: bool = False, **options: object
) -> tuple[Grasp | None, dict[str, int]]:
    wanted = Wanted(grip, np.zeros(3), left, 1.0, 0.0)
    random = np.random.default_rng(1)
    limits = GraspLimits(tries=12)
    grasp, refused = find_grasp(
        rig,
        _surface(mesh),
        wanted,
        (1,),
        random,
        limits=limits,
        **options,  # type: ignore[arg-type]
    )
    return grasp, dict(refused)


CASES = {
    "power": (_bar(0.013), Grip("power", np.array([0, 0, 0.12]), X, Z, 0.026)),
    "wrap": (_bar(0.033), Grip("wrap", np.array([0, 0, 0.12]), X, Z, 0.066)),
    "push": (
        box((0, 0, 0.1), (0.04, 0.2, 0.2)),
        Grip("push", np.array([0.02, 0, 0.1]), X, Z, 0.02),
    ),
    "palm": (box((0, 0, 0.1), (0.2, 0.2, 0.2)), Grip("palm", np.array([0, 0, 0.2]), Z, X, 0.2)),
}


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("left", [False, True])
def test_a_hand_holds_touching_but_not_pressing_through(
    toy_rig: HandRig, kind: str, left: bool
) -> None:
    mesh, grip = CASES[kind]
    grasp, refused = _find(toy_rig, mesh, grip, left)
    assert grasp is not None, refused
    assert grasp.touching
    assert grasp.depth <= GraspLimits().object_depth
    assert grasp.placement.left is left
    skin = _surface(mesh).signed_distance(grasp.vertices)
    assert skin.min() >= -GraspLimits().hand_depth - 1e-9
    assert np.abs(skin).min() < 0.004


@pytest.mark.parametrize("kind", ["pinch", "twist"])
@pytest.mark.parametrize("width", [0.006, 0.015, 0.05])
@pytest.mark.parametrize("left", [False, True])
def test_thumb_and_fingertips_start_on_opposite_sides(
    toy_rig: HandRig, kind: str, width: float, left: bool
) -> None:
    grip = Grip(kind, np.array([0.1, 0.2, 0.3]), X, Z, width)
    random = np.random.default_rng(2)
    start = draw_start(toy_rig, Wanted(grip, np.zeros(3), left, 1.0, 0.0), random)
    tips = [toy_rig.tip(digit, start.pose) for digit in start.digits]
    placed = start.placement.apply(np.array(tips))
    fingers, thumb = placed[:-1].mean(axis=0), placed[-1]
    middle = (fingers + thumb) / 2 - grip.point
    assert np.linalg.norm(middle) < 0.02
    assert abs(float((fingers - thumb) @ X)) < 0.8 * np.linalg.norm(fingers - thumb)
    assert start.digits[-1] == "thumb"


def test_nothing_of_the_hand_is_under_the_table(toy_rig: HandRig) -> None:
    mesh, grip = CASES["power"]
    grasp, refused = _find(toy_rig, mesh, grip, floor=0.02)
    assert grasp is not None, refused
    assert grasp.vertices[:, 2].min() >= 0.018


def test_a_table_in_the_way_is_named(toy_rig: HandRig) -> None:
    mesh, grip = CASES["power"]
    grasp, refused = _find(toy_rig, mesh, grip, floor=0.11)
    assert grasp is None
    assert refused.get("hand under the table", 0) > 0
    assert sum(refused.values()) == 12


def test_a_part_out_of_reach_is_named(toy_rig: HandRig) -> None:
    mesh, _ = CASES["power"]
    far = Grip("power", np.array([2.0, 0, 0]), X, Z, 0.02)
    assert _find(toy_rig, mesh, far) == (None, {"part out of reach": 1})


def test_a_left_hand_is_the_mirror_image_of_a_right_one(toy_rig: HandRig) -> None:
    right = Placement(np.eye(3), np.zeros(3)).apply(toy_rig.vertices)
    left = Placement(np.eye(3), np.zeros(3), left=True).apply(toy_rig.vertices)
    np.testing.assert_allclose(left * [1, -1, 1], right)


@pytest.mark.parametrize("limits", [{"hand_depth": 0.0}, {"tries": 0}])
def test_limits_that_nothing_can_keep_to_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        GraspLimits(**limits)  # type: ignore[arg-type]
