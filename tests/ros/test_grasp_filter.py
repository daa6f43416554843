"""Grasps for planners: the best one, all with scores, and those of other planners chosen from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import Point, Pose, PoseArray, PoseStamped, Quaternion
from hypothesis import given, settings
from hypothesis import strategies as st
from ros_support import Scene
from std_msgs.msg import Header
from test_depth import NEAR, DepthCamera, has_pose, square_depth, start
from test_depth_view import TURNED

from affordance_grounding_core.inference.result import Box
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.depth.camera_model import CameraModel
from affordance_grounding_ros.depth.grasp_filter import (
    MOST_CANDIDATES,
    SeenRegions,
    contacts_of,
)
from affordance_grounding_ros.msg import ScoredGrasps

LENSES = {
    "ideal": CameraModel(640, 480, 500.0, 510.0, 320.0, 235.0),
    "plumb_bob": CameraModel(
        640, 480, 500.0, 510.0, 320.0, 235.0, "plumb_bob", (-0.25, 0.08, 0.001, -0.001, 0.0)
    ),
    "equidistant": CameraModel(
        640, 480, 300.0, 300.0, 320.0, 240.0, "equidistant", (0.02, -0.005, 0.001, 0.0)
    ),
}
FOCAL = 32.0 / math.tan(math.radians(30.0))
FACING = Quaternion(w=1.0)


@settings(deadline=None)
@given(st.sampled_from(sorted(LENSES)), st.integers(0, 2**32 - 1))
def test_a_point_is_seen_where_its_ray_leaves_the_picture(lens: str, seed: int) -> None:
    camera, random = LENSES[lens], np.random.default_rng(seed)
    columns, rows = random.uniform(20, 620, 50), random.uniform(20, 460, 50)
    points = camera.rays(columns, rows) * random.uniform(0.1, 5.0, (50, 1))
    seen = camera.pixels(points)
    np.testing.assert_allclose(seen[0], columns, atol=0.05)
    np.testing.assert_allclose(seen[1], rows, atol=0.05)


@pytest.mark.parametrize("lens", LENSES)
def test_what_lies_behind_the_camera_or_nowhere_is_not_seen(lens: str) -> None:
    points = np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 0.0], [np.nan, 0.0, 1.0], [0.0, np.inf, 1.0]])
    assert np.isnan(LENSES[lens].pixels(points)).all()
    assert LENSES[lens].pixels(np.zeros((0, 3)))[0].shape == (0,)


def test_a_wide_lens_does_not_fold_the_world_into_its_picture() -> None:
    strong = CameraModel(
        640, 480, 500.0, 500.0, 320.0, 240.0, "plumb_bob", (-0.4, 0.0, 0.0, 0.0, 0.0)
    )
    assert np.isnan(strong.pixels(np.array([[3.0, 0.0, 1.0]]))).all()


def test_the_contact_lies_along_the_approach() -> None:
    sideways = Quaternion(y=math.sqrt(0.5), w=math.sqrt(0.5))  # z along x
    poses = [Pose(position=Point(z=1.0), orientation=turned) for turned in (FACING, sideways)]
    poses.append(Pose(position=Point(z=1.0), orientation=Quaternion(w=0.0)))
    poses.append(Pose(position=Point(x=math.nan), orientation=FACING))
    contacts = contacts_of(poses, 0.1)
    np.testing.assert_allclose(contacts[:2], [[0.0, 0.0, 1.1], [0.1, 0.0, 1.0]], atol=1e-9)
    assert np.isnan(contacts[2:]).all()
    assert contacts_of([], 0.1).shape == (0, 3)


def test_the_frame_of_the_poses_is_brought_back_to_the_cameras() -> None:
    seen = SeenRegions(0, "hold", LENSES["ideal"], "camera", "base", TURNED, ())
    points = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(seen.in_camera(TURNED.points(points), "base"), points, atol=1e-12)
    np.testing.assert_array_equal(seen.in_camera(points, "camera"), points)
    assert seen.in_camera(points, "elsewhere") is None


def test_heat_is_that_of_the_regions_own_pixels() -> None:
    heat = np.array([[0.5, np.nan], [0.7, 0.9]], np.float32)
    seen = SeenRegions(
        0, "hold", LENSES["ideal"], "camera", "camera", None, ((Box(10, 20, 2, 2), heat),)
    )
    columns = np.array([10.4, 11.0, 9.4, 11.4, np.nan])
    rows = np.array([20.0, 20.0, 20.0, 21.4, np.nan])
    np.testing.assert_allclose(seen.heat_at(columns, rows), [0.5, np.nan, np.nan, 0.9, np.nan])


def at(column: float, row: float, depth: float = NEAR) -> Pose:
    """A pose that faces as the camera does, seen at a pixel."""
    x, y = (column - 31.5) / FOCAL * depth, (row - 23.5) / FOCAL * depth
    return Pose(position=Point(x=x, y=y, z=depth), orientation=FACING)


class Planner:
    """Sends candidates and hears what is chosen."""

    def __init__(self, scene: Scene, camera: DepthCamera) -> None:
        self.client = scene.client
        node = self.client.node
        self.chosen: list[ScoredGrasps] = []
        self.scored: list[ScoredGrasps] = []
        self.best: list[PoseStamped] = []
        self.candidates = node.create_publisher(
            PoseArray, "grounder/grasp_candidates", qos.command()
        )
        for kind, topic, kept in (
            (ScoredGrasps, "chosen_grasps", self.chosen),
            (ScoredGrasps, "scored_grasps", self.scored),
            (PoseStamped, "best_grasp", self.best),
        ):
            node.create_subscription(kind, f"grounder/{topic}", kept.append, qos.output())
        start(scene, camera)
        self.client.wait(self.candidates.get_subscription_count, "the filter")
        self.client.wait(lambda: node.count_publishers("grounder/chosen_grasps"), "its answers")

    def ask(self, *poses: Pose, frame: str = "camera") -> ScoredGrasps:
        before = len(self.chosen)
        self.candidates.publish(PoseArray(header=Header(frame_id=frame), poses=list(poses)))
        self.client.wait(lambda: len(self.chosen) > before, "an answer")
        return self.chosen[-1]


@pytest.fixture
def planner(scene: Scene) -> Any:
    camera = DepthCamera(scene)
    planner = Planner(scene, camera)
    planner.camera = camera
    return planner


def test_candidates_that_touch_a_region_are_chosen_the_hottest_first(planner: Planner) -> None:
    planner.camera.answer(has_pose, "a pose", square_depth())
    inside, edge, outside = at(39.0, 6.0), at(33.0, 1.0), at(10.0, 40.0)
    behind = Pose(position=Point(z=-NEAR), orientation=FACING)
    unknown = Pose(position=Point(x=math.nan))
    answer = planner.ask(outside, edge, behind, inside, unknown)
    assert answer.action == "hold"
    assert answer.header.frame_id == "camera"
    assert [pose.position for pose in answer.poses] in (
        [inside.position, edge.position],
        [edge.position, inside.position],
    )
    assert list(answer.scores) == sorted(answer.scores, reverse=True)
    assert all(0.0 < score <= 1.0 for score in answer.scores)
    assert all(map(math.isnan, answer.widths))
    assert planner.ask(outside).poses == []
    assert planner.ask().poses == []


def test_the_best_grasp_comes_alone_and_all_with_their_scores(planner: Planner) -> None:
    result = planner.camera.answer(has_pose, "a pose", square_depth())
    client = planner.client
    client.wait(lambda: planner.best and planner.scored, "grasps")
    client.wait(
        lambda: any(one.header.stamp == result.header.stamp for one in planner.best), "the best"
    )
    best = next(one for one in planner.best if one.header.stamp == result.header.stamp)
    scored = next(one for one in planner.scored if one.header.stamp == result.header.stamp)
    assert best.pose == result.regions[0].pose == scored.poses[0]
    assert list(scored.scores) == [region.score for region in result.regions]
    assert scored.widths[0] > 0.0
    assert (best.header.frame_id, scored.action) == ("camera", "hold")


def test_candidates_that_cannot_be_placed_are_refused_with_the_reason(
    planner: Planner, log: Any
) -> None:
    def said(text: str) -> bool:
        return any(level == "warn" and text in line for level, line in log())

    client = planner.client
    early = PoseArray(header=Header(frame_id="camera"), poses=[at(39.0, 6.0)])
    planner.candidates.publish(early)
    client.wait(lambda: said("no result with depth"), "the first refusal")
    planner.camera.answer(has_pose, "a pose", square_depth())
    planner.candidates.publish(PoseArray(header=Header(frame_id="gripper\n"), poses=early.poses))
    client.wait(lambda: said("candidates have frame"), "the second refusal")
    many = PoseArray(header=Header(frame_id="camera"), poses=[Pose()] * (MOST_CANDIDATES + 1))
    planner.candidates.publish(many)
    client.wait(lambda: said("expected at most 10000"), "the third refusal")
    assert planner.chosen == []
    assert len(planner.ask(at(39.0, 6.0)).poses) == 1
