"""How pictures are set up: objects in frame, nothing in the way that would be a wrong label."""

from __future__ import annotations

import json

import numpy as np
import pytest

from render_affordances.cameras.camera import Camera
from render_affordances.scenes.arrangement import SETTINGS, Arrangement, arrange
from render_affordances.shapes.catalogue import (
    CLASSES,
    COMPOSITIONS,
    actions_of_classes,
    build_object,
)

NAMES = ("mug", "knife", "panel", "drawer", "door", "chair", "faucet", "switch", "keyboard")
ROOMY = ("chair", "sofa", "stove", "drawer", "suitcase")


def arrangements(name: str, count: int = 12) -> list[Arrangement]:
    found = []
    for seed in range(count):
        random = np.random.default_rng(seed)
        found.append(arrange(CLASSES[name](random), random))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_subject_is_in_front_of_the_camera_and_mostly_in_frame(name: str) -> None:
    whole = 0
    for one in arrangements(name):
        share = one.camera.share_in_frame(one.subject.vertices)
        _, depth = one.camera.project(one.subject.vertices)
        assert share > 0
        assert np.median(depth) > 0
        whole += share > 0.95
    assert whole >= (1 if name in ("door", "drawer") else 6)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_about_affords_what_the_subject_affords(name: str) -> None:
    actions = actions_of_classes()
    for one in arrangements(name):
        for item in one.clutter:
            assert not actions.get(item.model.name, frozenset()) & set(one.subject.model.affords)


@pytest.mark.parametrize("name", NAMES)
def test_what_stands_stands_on_the_ground_and_touches_nothing(name: str) -> None:
    for one in arrangements(name):
        assert one.setting in {s for names, _ in SETTINGS.values() for s in names} | {"wall_studio"}
        if one.setting.startswith("wall") or one.setting == "interior":
            continue
        assert one.subject.vertices[:, 2].min() == pytest.approx(0, abs=1e-9)
        circles = [(np.zeros(2), float(np.linalg.norm(one.subject.vertices[:, :2], axis=1).max()))]
        for item in one.clutter:
            assert item.vertices[:, 2].min() == pytest.approx(0, abs=1e-9)
            centre = item.shift[:2]
            radius = float(np.linalg.norm(item.vertices[:, :2] - centre, axis=1).max())
            for other, own in circles:
                assert np.linalg.norm(centre - other) > radius + own - 1e-9
            circles.append((centre, radius))


def interiors(name: str, count: int = 12) -> list[Arrangement]:
    found = [one for one in arrangements(name, count) if one.setting == "interior"]
    assert found
    return found


@pytest.mark.parametrize("name", ROOMY)
def test_in_a_room_nothing_touches_what_is_shown_and_the_camera_is_inside(name: str) -> None:
    for one in interiors(name):
        assert one.room is not None
        turn = one.room.rotation
        shown, walls = one.subject.vertices @ turn, one.room.model.vertices
        back = shown[:, 1].max()
        assert back < walls[:, 1].max(), "a wall behind"
        assert (one.camera.position @ turn)[2] > 0
        boxes = [(shown.min(axis=0), shown.max(axis=0))]
        for item in one.clutter:
            points = item.vertices @ turn
            low, high = points.min(axis=0), points.max(axis=0)
            assert low[2] == pytest.approx(0, abs=1e-9)
            assert all((low[:2] > b[1][:2]).any() or (high[:2] < b[0][:2]).any() for b in boxes)
            boxes.append((low, high))


def test_what_stands_against_a_wall_is_seen_from_the_front_with_the_wall_behind_it() -> None:
    for name in ("sofa", "stove", "drawer"):
        for one in interiors(name):
            away = one.subject.rotation @ np.array([0.0, 1, 0])
            assert one.camera.position @ away < (one.subject.vertices @ away).max()
            assert one.room is not None
            np.testing.assert_allclose(one.room.rotation, one.subject.rotation)


@pytest.mark.parametrize("name", sorted(COMPOSITIONS))
def test_a_composition_is_framed_by_some_of_what_is_in_it(name: str) -> None:
    for seed in range(3):
        random = np.random.default_rng(seed)
        one = arrange(build_object(name, random), random)
        boxes = [
            box @ one.subject.rotation.T + one.subject.shift for box in one.subject.model.members
        ]
        assert max(one.camera.share_in_frame(box) for box in boxes) == 1
        assert one.setting == ("interior" if one.subject.model.support == "floor" else one.setting)
        assert one.setting != "floating"


def test_less_crowding_means_less_clutter() -> None:
    for seed in range(10):
        random = np.random.default_rng(seed)
        assert not arrange(CLASSES["mug"](random), random, crowding=0.0).clutter


def test_the_same_randomness_sets_up_the_same_picture() -> None:
    first, second = arrangements("mug", 3), arrangements("mug", 3)
    for one, other in zip(first, second, strict=True):
        assert one.setting == other.setting
        assert np.array_equal(one.camera.position, other.camera.position)
        assert np.array_equal(one.subject.vertices, other.subject.vertices)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_of_the_camera_says_where_things_appear(name: str) -> None:
    for one in arrangements(name, 4):
        written = json.loads(json.dumps(one.camera_details()))
        camera = Camera(
            np.array(written["position"]),
            np.array(written["rotation"]),
            written["focal_mm"],
            tuple(written["principal_point"]),
        )
        expected, depth = one.camera.project(one.subject.vertices)
        where, _ = camera.project(one.subject.vertices)
        near = depth > 0.05  # places are written to 10 micrometres
        assert np.allclose(where[near], expected[near], atol=1e-3)
