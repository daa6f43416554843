"""Several objects together: each part counts for what it affords, nothing is lost or floats."""

from __future__ import annotations

import numpy as np
import pytest

from render_affordances.meshes.model import ObjectModel
from render_affordances.shapes.catalogue import CLASSES, COMPOSITIONS, actions_of_classes
from render_affordances.shapes.compositions.together import fitted, put, scattered, together


def seeded(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def afforded_faces(model: ObjectModel, action: str) -> int:
    return int(np.isin(model.face_parts, model.part_ids(action)).sum())


@pytest.mark.parametrize("name", sorted(COMPOSITIONS))
def test_compositions_afford_what_classes_afford_and_stand_on_the_ground(name: str) -> None:
    known = {action for given in actions_of_classes().values() for action in given}
    for seed in range(3):
        model = COMPOSITIONS[name](seeded(seed))
        assert model.name == name
        assert set(model.affords) <= known
        assert model.members
        assert model.vertices[:, 2].min() == pytest.approx(0, abs=1e-9)
        for action in model.affords:
            assert afforded_faces(model, action) > 0
        for box in model.members:
            assert box[:, 2].min() > -1e-6


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        ("dinner", {"sit_on"}),
        ("lounge", {"sit_on"}),
        ("office", {"press"}),
        ("washstand", {"turn"}),
        ("tabletop", set()),
        ("kitchen", set()),
    ],
)
def test_what_a_composition_is_for_is_always_in_it(name: str, actions: set[str]) -> None:
    seen = [set(COMPOSITIONS[name](seeded(seed)).affords) for seed in range(3)]
    assert all(actions <= one for one in seen)
    assert max(len(one) for one in seen) >= 2


def test_every_instance_of_a_part_counts_and_no_other_face() -> None:
    mug, knife = CLASSES["mug"](seeded(0)), CLASSES["knife"](seeded(1))
    models = [mug, put(mug, (0.3, 0, 0), 90.0), put(knife, (0, 0.4, 0))]
    both = together("tabletop", "test", models, "table")
    expected = 2 * afforded_faces(mug, "hold") + afforded_faces(knife, "hold")
    assert afforded_faces(both, "hold") == expected
    assert afforded_faces(both, "drink_with") == 2 * afforded_faces(mug, "drink_with")
    assert afforded_faces(both, "cut_with") == afforded_faces(knife, "cut_with")
    assert len(both.grips["hold"]) == 3
    assert len(both.members) == 3


def test_a_part_that_affords_two_actions_counts_for_both() -> None:
    stove = next(
        model
        for model in (CLASSES["stove"](seeded(seed)) for seed in range(20))
        if "turn" in model.affords
    )
    row = together("kitchen", "test", [stove])
    assert afforded_faces(row, "turn") == afforded_faces(stove, "turn")
    assert afforded_faces(row, "press") == afforded_faces(stove, "press")
    assert set(row.part_ids("turn")) < set(row.part_ids("press"))


def test_textures_keep_the_scale_of_the_object_they_belong_to() -> None:
    mug = CLASSES["mug"](seeded(0))
    table = fitted(CLASSES["stool"](seeded(0)), (1.0, 1.0, 0.7))
    both = together("tabletop", "test", [mug, table])
    size = float(np.linalg.norm(np.ptp(mug.vertices, axis=0)))
    assert both.surfaces[0].scale == pytest.approx(size)


def test_scattered_things_lie_on_their_area_and_overlap_nothing() -> None:
    models = [CLASSES[name](seeded(3)) for name in ("mug", "knife", "bottle", "fork", "jar")]
    low, high = np.array([-0.3, -0.2]), np.array([0.3, 0.2])
    placed = scattered(seeded(0), models, (low, high), 0.7)
    assert len(placed) >= 4
    boxes = []
    for model in placed:
        own_low, own_high = model.vertices.min(axis=0), model.vertices.max(axis=0)
        assert own_low[2] == pytest.approx(0.7)
        assert (own_low[:2] >= low - 1e-9).all()
        assert (own_high[:2] <= high + 1e-9).all()
        assert all((own_low[:2] > b[1]).any() or (own_high[:2] < b[0]).any() for b in boxes)
        boxes.append((own_low[:2], own_high[:2]))


def test_fitting_sets_the_sizes_that_are_given() -> None:
    model = fitted(CLASSES["kitchen_unit"](seeded(2)), (None, 0.6, 0.9))
    assert np.ptp(model.vertices, axis=0)[1:] == pytest.approx([0.6, 0.9])


@pytest.mark.parametrize("name", ["armchair", "bench", "dining_chair", "sofa", "swivel_chair"])
def test_a_seat_is_as_high_as_a_knee_and_one_sits_within_it(name: str) -> None:
    for seed in range(8):
        model = CLASSES[name](seeded(seed))
        seat = model.part_vertices(*model.part_ids("sit_on"))
        assert 0.25 < seat[:, 2].max() < 0.62
        low, high = seat.min(axis=0), seat.max(axis=0)
        for held in model.grips["sit_on"]:
            assert (held.point[:2] > low[:2]).all()
            assert (held.point[:2] < high[:2]).all()


@pytest.mark.parametrize("name", ["fridge", "kitchen_unit", "stove"])
def test_bars_stand_out_of_the_front_they_open(name: str) -> None:
    for seed in range(8):
        model = CLASSES[name](seeded(seed))
        bars = model.part_vertices(*model.part_ids("open"))
        rest = np.concatenate([s.vertices for s in model.surfaces if not s.part.any()])
        assert bars[:, 1].min() < rest[:, 1].min()
