"""Modelled objects: sound meshes, parts that exist, grips that lie on them."""

from __future__ import annotations

import numpy as np
import pytest

from render_affordances.meshes.geometry import face_centres
from render_affordances.meshes.model import SUPPORTS, Finish, Grip, ObjectModel, Surface
from render_affordances.shapes.catalogue import (
    CLASSES,
    HELD_OUT,
    actions_of_classes,
    build_object,
    harmless_classes,
)
from render_affordances.shapes.parts.assembly import stretched, transformed
from render_affordances.shapes.props import build_picture, build_prop

SEEDS = range(4)


def seeded(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def built(name: str) -> list[ObjectModel]:
    return [build_object(name, seeded(seed)) for seed in SEEDS]


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_objects_rest_on_their_support_with_sound_meshes(name: str) -> None:
    for model in built(name):
        vertices = model.vertices
        assert model.name == name
        assert model.support in SUPPORTS
        assert np.isfinite(vertices).all()
        assert vertices[:, 2].min() == pytest.approx(0.0, abs=1e-9)
        assert np.abs((vertices.min(axis=0) + vertices.max(axis=0))[:2]).max() < 1e-9
        longest = 4.0 if name == "sofa" else 2.5  # metres; sofas seat four
        assert 0.01 < np.ptp(vertices, axis=0).max() < longest
        for surface in model.surfaces:
            used = {index for face in surface.faces for index in face}
            assert used <= set(range(len(surface.vertices)))
            assert all(len(set(face)) == len(face) >= 3 for face in surface.faces)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_affordance_has_faces_and_a_grip_at_them(name: str) -> None:
    for model in built(name):
        assert model.affords
        size = float(np.ptp(model.vertices, axis=0).max())
        points = np.concatenate([model.vertices, face_centres((model.vertices, [*model.faces]))])
        for action in model.affords:
            for part in model.part_ids(action):
                assert part in model.face_parts
            for grip in model.grips[action]:
                distance = np.linalg.norm(points - grip.point, axis=1).min()
                assert distance < max(0.6 * grip.width, 0.15 * size)
                assert abs(float(grip.normal @ grip.axis)) < 1e-6


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_the_same_seed_builds_the_same_object_and_another_seed_another(name: str) -> None:
    build = CLASSES[name]
    first, again, other = (build(np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first.vertices, again.vertices)
    assert first.surfaces[0].finish == again.surfaces[0].finish
    assert first.vertices.shape != other.vertices.shape or not np.allclose(
        first.vertices, other.vertices
    )


def test_there_are_enough_classes_and_no_action_belongs_to_one_class_alone() -> None:
    assert len(CLASSES) >= 15
    classes_of: dict[str, set[str]] = {}
    for name, actions in actions_of_classes().items():
        for action in actions:
            classes_of.setdefault(action, set()).add(name)
    assert len(classes_of) >= 8
    for names in classes_of.values():
        assert len(names) >= 2
        assert names - HELD_OUT, "every action needs a class to train on"
        assert names & HELD_OUT, "every action needs a class that was never seen"


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_the_catalogue_knows_every_action_of_a_class(name: str) -> None:
    # Only these have families with other actions than the rest of the class.
    seeds = range(12) if name in ("bin", "microwave", "panel", "stove", "washer") else range(3)
    afforded = {action for seed in seeds for action in CLASSES[name](seeded(seed)).affords}
    assert afforded == actions_of_classes()[name]


def test_a_glass_is_held_by_its_outside() -> None:
    for seed in range(8):
        model = CLASSES["glass"](seeded(seed))
        if model.family == "stemmed":
            continue
        mesh = (model.vertices, [*model.faces])
        held = face_centres(mesh)[model.face_parts == model.parts["body"]]
        away = np.hypot(held[:, 0], held[:, 1])
        for level in np.unique(np.round(held[:, 2], 5)):
            ring = away[np.isclose(held[:, 2], level, atol=1e-5)]
            assert np.ptp(ring) < 1e-4, "one wall at every height"


def test_harmless_classes_share_no_action() -> None:
    harmless = harmless_classes(["hold"])
    assert "drawer" in harmless
    assert "mug" not in harmless
    assert harmless_classes(sorted({a for b in actions_of_classes().values() for a in b})) == ()


@pytest.mark.parametrize("build", [build_prop, build_picture])
def test_props_afford_nothing(build: object) -> None:
    for seed in range(30):
        model = build(np.random.default_rng(seed))  # type: ignore[operator]
        assert not model.affords
        assert not model.face_parts.any()


def test_moving_an_object_moves_its_grips_and_ends() -> None:
    model = CLASSES["hammer"](np.random.default_rng(0))
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    moved = transformed(model, turn, np.array([0.0, 0, 2]))
    assert np.allclose(moved.vertices, model.vertices @ turn.T + [0, 0, 2])
    before, after = model.grips["hit"][0], moved.grips["hit"][0]
    assert np.allclose(after.point, turn @ before.point + [0, 0, 2])
    assert np.allclose(after.axis, turn @ before.axis)
    assert np.allclose(moved.ends["hit"].direction, turn @ model.ends["hit"].direction)


def test_stretching_changes_proportions_and_grips_stay_on_their_parts() -> None:
    model = CLASSES["hammer"](seeded(1))
    longer = stretched(model, (2.0, 1.0, 0.5))
    assert np.allclose(
        np.ptp(longer.vertices, axis=0), np.ptp(model.vertices, axis=0) * [2, 1, 0.5]
    )
    before, after = model.grips["hold"][0], longer.grips["hold"][0]
    assert np.allclose(after.point, before.point * [2, 1, 0.5])
    assert abs(float(after.normal @ after.axis)) < 1e-9
    assert longer.ends["hit"].point[0] == pytest.approx(2 * model.ends["hit"].point[0])


@pytest.mark.parametrize("name", ["mug", "panel", "switch"])
def test_round_classes_mostly_stay_round(name: str) -> None:
    across = 1 if name == "mug" else 2
    kept = 0
    for seed in range(16):
        plain, varied = CLASSES[name](seeded(seed)), build_object(name, seeded(seed))
        ratio = np.ptp(varied.vertices, axis=0) / np.ptp(plain.vertices, axis=0)
        kept += ratio[0] == pytest.approx(ratio[across])
    assert 8 <= kept < 16


def test_wrong_models_are_refused_by_name() -> None:
    plain = Surface(np.eye(3), ((0, 1, 2),), np.zeros(1, np.uint8), Finish("wood", 0))
    held = Grip("power", np.zeros(3), np.array([1.0, 0, 0]), np.array([0.0, 1, 0]), 0.02)
    with pytest.raises(ValueError, match="finish must be one of"):
        Finish("gold", 0)
    with pytest.raises(ValueError, match="one id for each of 1 faces"):
        Surface(np.eye(3), ((0, 1, 2),), np.zeros(2, np.uint8), Finish("wood", 0))
    with pytest.raises(ValueError, match="grasp must be one of"):
        Grip("bite", held.point, held.normal, held.axis, 0.02)
    with pytest.raises(ValueError, match="normal must have length 1"):
        Grip("power", held.point, held.normal * 2, held.axis, 0.02)
    with pytest.raises(ValueError, match="names parts it lacks"):
        ObjectModel("x", "x", (plain,), {"a": 1}, {"hold": ("b",)}, {"hold": (held,)})
    with pytest.raises(ValueError, match="needs a grip"):
        ObjectModel("x", "x", (plain,), {"a": 1}, {"hold": ("a",)}, {})
    with pytest.raises(ValueError, match="part ids must be"):
        ObjectModel("x", "x", (plain,), {"a": 2}, {"hold": ("a",)}, {"hold": (held,)})
