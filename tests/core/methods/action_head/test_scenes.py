from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from affordance_grounding_core.methods.action_head.config import SceneCounts, ViewConfig
from affordance_grounding_core.methods.action_head.samples import (
    Sample,
    SamplePicture,
    read_samples,
)
from affordance_grounding_core.methods.action_head.scenes import (
    MASK_FULL,
    MASK_UNKNOWN,
    plan_scenes,
)

ACTIONS = ["hold", "drink_with", "hit"]
CHANNEL = {"hold": 0, "drink_with": 1, "hit": 2}
STILL = ViewConfig(
    count=2, mosaics=2, insets=1, brightness=0, colour_shift=0, blur=0, noise=0, grey=0
)


@pytest.fixture
def samples(drawn_data: Path) -> list[Sample]:
    return read_samples(drawn_data, ACTIONS)


def test_labels_lie_on_what_is_painted_in_every_scene(samples: list[Sample]) -> None:
    """The drawn parts have a colour for each action, so paint tells where labels belong."""
    pictures = {sample: SamplePicture.of(sample) for sample in samples}
    scenes = plan_scenes(samples, 112, STILL, seed=3)
    assert {len(scene.tiles) for scene in scenes} == {1, 2, 4}
    for scene in scenes:
        paint = cv2.resize(scene.image(STILL), (8, 8), interpolation=cv2.INTER_AREA) / 255
        for action, label in scene.labels(pictures, STILL, 8).items():
            painted = paint[..., CHANNEL[action]]
            assert np.corrcoef(label.ravel(), painted.ravel())[0, 1] > 0.6


def test_mosaics_know_what_none_of_their_objects_affords(samples: list[Sample]) -> None:
    for scene in plan_scenes(samples, 112, STILL, seed=0):
        objects = {tile.sample.object_name for tile in scene.tiles}
        expected = {"mug": {"hit"}, "hammer": {"drink_with"}}
        assert set(scene.absent(ACTIONS)) == set.intersection(*(expected[o] for o in objects))


def test_action_of_unknown_extent_is_neither_present_nor_absent(samples: list[Sample]) -> None:
    pictures = {sample: SamplePicture.of(sample) for sample in samples}
    forgetful = {
        sample: SamplePicture(
            p.height, p.width, {"hit": p.labels["hit"]} if "hit" in p.labels else {}, p.exact
        )
        for sample, p in pictures.items()
    }
    for scene in plan_scenes(samples, 112, STILL, seed=0):
        assert "hold" not in scene.labels(forgetful, STILL, 8)
        assert "hold" not in scene.absent(ACTIONS)


def test_scenes_are_decided_by_their_seed(samples: list[Sample]) -> None:
    def drawn(seed: int) -> list[bytes]:
        scenes = plan_scenes(samples, 56, ViewConfig(count=2, mosaics=1), seed)
        return [scene.image(ViewConfig()).tobytes() for scene in scenes]

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)


def test_part_masks_are_the_parts_and_not_their_surroundings(samples: list[Sample]) -> None:
    pictures = {sample: SamplePicture.of(sample) for sample in samples}
    for scene in plan_scenes(samples, 112, STILL, seed=3):
        paint = cv2.resize(scene.image(STILL), (56, 56), interpolation=cv2.INTER_AREA) / 255
        masks = scene.masks(scene.coverage(pictures, STILL), pictures, 56)
        assert masks
        for action, mask in masks.items():
            np.testing.assert_allclose(mask / MASK_FULL, paint[..., CHANNEL[action]], atol=0.1)


def test_what_an_inset_covers_is_no_part_of_the_picture_behind(samples: list[Sample]) -> None:
    config = ViewConfig(count=1, insets=2, inset_scale=(0.5, 0.6), follow_parts=True)
    pictures = {sample: SamplePicture.of(sample) for sample in samples}
    for scene in plan_scenes(samples, 112, config, 0, pictures):
        if len(scene.tiles) == 2:
            behind, inset = scene.tiles
            only_behind = set(behind.sample.masks) - set(inset.sample.masks)
            coverage = scene.coverage(pictures, config)
            for action in only_behind & set(coverage):
                assert not coverage[action][inset.place].any()


def test_boxes_in_place_of_parts_leave_their_inside_unknown(samples: list[Sample]) -> None:
    sample = samples[0]
    label = np.zeros((96, 128), np.bool_)
    label[20:50, 30:90] = True
    boxed = SamplePicture(96, 128, {"hit": label}, exact=True, boxes=frozenset({"hit"}))
    (scene, *_) = plan_scenes([sample], 112, STILL, seed=0)
    masks = scene.masks(scene.coverage({sample: boxed}, STILL), {sample: boxed}, 56)
    assert set(np.unique(masks["hit"])) == {0, MASK_UNKNOWN}


def test_counts_of_a_picture_replace_those_of_all(samples: list[Sample]) -> None:
    counts = {samples[0]: SceneCounts(views=3, mosaics=0, insets=0)}
    scenes = plan_scenes(samples[:2], 112, ViewConfig(count=1, mosaics=0), 0, None, counts)
    assert [scene.tiles[0].sample for scene in scenes] == [samples[0]] * 3 + [samples[1]]
