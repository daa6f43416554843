"""Objects in use stay whole, stand above the table, and meet what they act on."""

from __future__ import annotations

import numpy as np
import pytest

from render_affordances.acts.people import build_head, build_seated
from render_affordances.acts.staging import Act, stage
from render_affordances.acts.targets import build_food, build_vessel, stream
from render_affordances.acts.viewpoint import draw_camera, outline, points_of_interest
from render_affordances.shapes.catalogue import CLASSES, actions_of_classes

PAIRS = [(name, action) for name, found in actions_of_classes().items() for action in sorted(found)]


def _stage(name: str, action: str, seed: int, left: bool = False) -> Act:
    random = np.random.default_rng(seed)
    for _ in range(40):
        model = CLASSES[name](random)
        if action in model.affords:
            return stage(model, action, random, left)
    raise AssertionError(f"no {name} affords {action}")


@pytest.mark.parametrize(("name", "action"), PAIRS)
def test_every_action_of_every_class_can_be_staged(name: str, action: str) -> None:
    act = _stage(name, action, seed=3)
    np.testing.assert_allclose(act.rotation @ act.rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(act.rotation) > 0
    assert len(act.grips) == len(act.thumbs) > 0
    for grip in act.grips:
        assert abs(float(grip.normal @ grip.axis)) < 1e-6
    if act.floor is not None:
        assert act.model.vertices[:, 2].min() > act.floor - 2e-3


@pytest.mark.parametrize("name", ["knife", "saw", "axe"])
@pytest.mark.parametrize("seed", range(4))
def test_a_cutting_edge_is_in_what_it_cuts(name: str, seed: int) -> None:
    act = _stage(name, "cut_with", seed)
    (target,) = act.targets
    end = act.model.ends["cut_with"]
    assert end.direction[2] < -0.9
    low = min(float(one.vertices[:, 2].min()) for one in target.surfaces)
    edge = end.point + np.linspace(-0.5, 0.5, 21)[:, None] * end.length * end.edge
    across = target.point[:2] - edge[:, :2]
    nearest = edge[np.argmin(np.linalg.norm(across, axis=1))]
    assert np.linalg.norm(nearest[:2] - target.point[:2]) < 0.06
    assert low - 1e-6 <= nearest[2] < target.point[2] + 0.03


@pytest.mark.parametrize("name", ["hammer", "mallet", "bat", "racket"])
@pytest.mark.parametrize("seed", range(3))
def test_what_hits_is_before_what_is_hit(name: str, seed: int) -> None:
    act = _stage(name, "hit", seed)
    (target,) = act.targets
    end = act.model.ends["hit"]
    gap = target.point - end.point
    along = float(gap @ end.direction)
    assert -1e-6 <= along < 0.25
    np.testing.assert_allclose(gap, along * end.direction, atol=0.06)


@pytest.mark.parametrize("name", ["jug", "kettle", "teapot", "watering_can"])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_poured_falls_into_the_cup(name: str, seed: int) -> None:
    act = _stage(name, "pour", seed)
    cup, water = act.targets
    assert act.model.ends["pour"].direction[2] < -0.3
    path = water.surfaces[0].vertices
    shell = cup.surfaces[0].vertices
    lowest = path[np.argmin(path[:, 2])]
    middle = (shell.min(axis=0) + shell.max(axis=0)) / 2
    radius = float(np.linalg.norm((shell - middle)[:, :2], axis=1).max())
    assert np.linalg.norm((lowest - middle)[:2]) < radius
    assert path[:, 2].max() >= act.model.ends["pour"].point[2] - 0.01


@pytest.mark.parametrize("name", ["spoon", "spatula", "whisk"])
@pytest.mark.parametrize("seed", range(3))
def test_what_stirs_is_inside_the_bowl(name: str, seed: int) -> None:
    act = _stage(name, "stir", seed)
    shell = act.targets[0].surfaces[0].vertices
    end = act.model.ends["stir"].point
    radius = float(np.linalg.norm(shell[:, :2], axis=1).max())
    assert np.linalg.norm(end[:2]) < radius
    assert 0 < end[2] < shell[:, 2].max() + 0.01


def test_a_stream_runs_from_the_spout_down() -> None:
    spout = np.array([0.1, 0.2, 0.3])
    run = stream(spout, np.array([0.8, 0.0, -0.6]), 0.05, np.random.default_rng(0))
    top = run.vertices[np.argmax(run.vertices[:, 2])]
    assert np.linalg.norm(top - spout) < 0.01
    assert abs(float(run.vertices[:, 2].min()) - 0.05) < 0.01


@pytest.mark.parametrize("seed", range(8))
def test_targets_stand_on_the_table(seed: int) -> None:
    for build in (build_food, build_vessel):
        target = build(np.random.default_rng(seed))
        low = min(float(one.vertices[:, 2].min()) for one in target.surfaces)
        assert abs(low) < 2e-3


def test_people_are_of_human_size() -> None:
    head = np.concatenate([p.vertices for p in build_head(np.random.default_rng(0))])
    assert 0.3 < np.ptp(head[:, 1]) < 0.7
    seated = np.concatenate([p.vertices for p in build_seated(np.random.default_rng(0))])
    assert 1.1 < np.ptp(seated[:, 2]) < 1.6


@pytest.mark.parametrize(("name", "action"), [("mug", "hold"), ("knife", "cut_with")])
def test_cameras_frame_what_matters(name: str, action: str) -> None:
    random = np.random.default_rng(5)
    act = _stage(name, action, seed=5)
    hand = act.grips[0].point + random.normal(0, 0.03, (200, 3))
    for _ in range(5):
        points = points_of_interest(act, action, hand, random)
        camera = draw_camera(act, points, np.array([0.0, 0.0, 1.0]), random)
        assert camera.share_in_frame(points) > 0.8
        assert camera.position[2] >= 0.02
        seen = outline(camera, act.model.vertices, act.model.faces, 64)
        assert 0 < seen.mean() < 1
