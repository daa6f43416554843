"""Which pictures there are: balanced, disjoint, and each with its own randomness."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from render_affordances.dataset.plan import (
    Job,
    Size,
    act_jobs,
    classes_of,
    egocentric_jobs,
    random_for,
    splits_of,
)
from render_affordances.shapes.catalogue import CLASSES, COMPOSITIONS, HELD_OUT, actions_of_classes


def test_unseen_trains_on_no_class_it_tests() -> None:
    train, test = classes_of("unseen", "train"), classes_of("unseen", "test")
    assert set(train).isdisjoint(test)
    assert set(train) | set(test) == set(CLASSES)
    assert set(test) == HELD_OUT
    everything = {*CLASSES, *COMPOSITIONS}
    assert set(classes_of("seen", "train")) == set(classes_of("seen", "test")) == everything


def test_pictures_are_named_once_and_the_test_set_comes_first() -> None:
    jobs = list(egocentric_jobs("both", Size(train=3, test=2, views=2)))
    names = [job.name for job in jobs]
    assert len(set(names)) == len(names)
    assert len(names) == (len(CLASSES) + len(COMPOSITIONS)) * (3 * 2 + 2)
    subsets = [job.subset for job in jobs]
    assert subsets == sorted(subsets)


def test_a_run_stopped_anywhere_is_balanced_over_the_classes() -> None:
    jobs = [j for j in egocentric_jobs("seen", Size(train=4, test=0)) if j.subset == "train"]
    names = classes_of("seen", "train")
    for stop in (50, 100, 200):
        counts = [sum(j.object_name == name for j in jobs[:stop]) for name in names]
        assert max(counts) - min(counts) <= 1


def test_compositions_are_never_in_the_unseen_split_nor_in_use_by_a_hand() -> None:
    for name in COMPOSITIONS:
        assert splits_of(Job("train", name, 0, 0), "both") == ("Seen",)
        assert splits_of(Job("test", name, 0, 0), "unseen") == ()
    acts = list(act_jobs("both", 1, actions_of_classes()))
    assert {job.object_name for job in acts} == set(CLASSES)


def test_a_picture_belongs_to_the_splits_whose_subset_shows_its_class() -> None:
    held = min(HELD_OUT)
    assert splits_of(Job("train", held, 0, 0), "both") == ("Seen",)
    assert splits_of(Job("test", held, 0, 0), "both") == ("Seen", "Unseen")
    assert splits_of(Job("train", "mug", 0, 0), "both") == ("Seen", "Unseen")
    assert splits_of(Job("test", "mug", 0, 0), "unseen") == ()


def test_randomness_depends_on_every_part_of_a_name_and_on_nothing_else() -> None:
    keys = list(itertools.product((0, 1), ("test", "train"), ("mug", "jug"), (0, 1), (0, 1)))
    first = [random_for(*key).integers(1 << 62) for key in keys]
    again = [random_for(*key).integers(1 << 62) for key in reversed(keys)]
    assert len(set(first)) == len(keys)
    assert first == again[::-1]


def test_views_of_an_instance_show_the_same_object() -> None:
    views = [Job("train", "mug", 5, view) for view in (0, 1)]
    models = [CLASSES["mug"](job.instance_random(0)) for job in views]
    assert np.array_equal(models[0].vertices, models[1].vertices)
    assert views[0].view_random(0).random() != views[1].view_random(0).random()
    other = CLASSES["mug"](Job("test", "mug", 5, 0).instance_random(0))
    assert not np.array_equal(models[0].vertices[:50], other.vertices[:50])


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="split must be one of"):
        classes_of("other", "train")
    with pytest.raises(ValueError, match="subset must be one of"):
        classes_of("seen", "val")
    with pytest.raises(ValueError, match="views must be at least 1, got 0"):
        Size(views=0)
    with pytest.raises(ValueError, match=r"object must be one of .* got \['mugg'\]"):
        list(egocentric_jobs("seen", Size(), ["mugg"]))
