"""The check of a data set names everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from affordance_grounding_core.data.check import check_dataset
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.images import write_png


def test_a_sound_data_set_is_counted(drawn_data: Path) -> None:
    report = check_dataset(drawn_data, decode_images=True)
    assert [(p.part, p.images, p.actions, p.objects, p.pairs) for p in report.parts] == [
        ("testset", 8, 3, 2, 4),
        ("trainset egocentric", 12, 3, 2, 4),
        ("trainset exocentric", 12, 3, 2, 4),
    ]
    assert all(not part.without_label and not part.empty_labels for part in report.parts)
    assert not report.unreadable
    assert not report.misplaced


def test_faults_are_named(drawn_data: Path) -> None:
    truths = drawn_data / "testset" / "GT" / "hit" / "hammer"
    write_png(truths / "hammer_0.png", np.zeros((9, 9), np.uint8))
    (truths / "hammer_1.png").unlink()
    (drawn_data / "testset" / "GT" / "hold" / "mug" / "mug_0.png").write_bytes(b"junk")
    picture = drawn_data / "trainset" / "exocentric" / "hit" / "hammer" / "person_0.png"
    picture.write_bytes(b"")
    report = check_dataset(drawn_data, decode_images=True)
    assert report.parts[0].without_label == 1
    assert report.parts[0].empty_labels == (str(truths / "hammer_0.png"),)
    assert len(report.unreadable) == 2
    for word in ("hammer_0.png", "1 images have no label", "mug_0.png", "person_0.png"):
        assert word in report.as_text()
    assert len(check_dataset(drawn_data).unreadable) == 1


def test_all_splits_are_checked(tmp_path: Path, make_test_set: Callable[[Path], None]) -> None:
    for split in ("Seen", "Unseen"):
        make_test_set(tmp_path / split / "testset")
    assert [part.part for part in check_dataset(tmp_path).parts] == [
        "Seen testset",
        "Unseen testset",
    ]
    assert [part.part for part in check_dataset(tmp_path, "Unseen").parts] == ["Unseen testset"]


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no testset"):
        check_dataset(tmp_path)


def test_what_training_would_leave_out_is_named(drawn_data: Path) -> None:
    training = drawn_data / "trainset"
    (training / "egocentric" / "hold" / "cup").mkdir()
    lonely = training / "exocentric" / "hit" / "axe" / "person.png"
    write_png(lonely, np.zeros((64, 64, 3), np.uint8))
    write_png(lonely.with_name("dot.png"), np.zeros((400, 3, 3), np.uint8))
    report = check_dataset(drawn_data, decode_images=True)
    assert report.empty_classes == (str(training / "egocentric" / "hold" / "cup"),)
    assert report.unpaired == ("hit/axe",)
    assert report.tiny == (str(lonely.with_name("dot.png")),)
    for word in ("empty class folder", "without an egocentric one: hit/axe", "below 32 px"):
        assert word in report.as_text()


def test_a_published_split_is_compared_with_its_class_list(
    tmp_path: Path, make_test_set: Callable[[Path], None]
) -> None:
    make_test_set(tmp_path / "HICO-IIF" / "testset")
    missing = check_dataset(tmp_path, "hico-iif").missing_actions
    assert list(missing) == ["HICO-IIF testset"]
    assert "pour" in missing["HICO-IIF testset"]
    assert "hold" not in missing["HICO-IIF testset"]
    make_test_set(tmp_path / "testset")
    assert not check_dataset(tmp_path / "testset").missing_actions


def test_masks_are_judged_by_the_rule_of_training(drawn_data: Path) -> None:
    folder = drawn_data / "trainset" / "PL" / "hold" / "mug"
    write_png(folder / "mug_0_pl.png", np.ones((96, 128), np.uint8))
    write_png(folder / "mug_1_pl.png", np.full((9, 9), 255, np.uint8))
    (folder / "mug_2_pl.png").write_bytes(b"junk")
    write_png(
        drawn_data / "testset" / "masks" / "hit" / "hammer" / "hammer_0.png",
        np.zeros((96, 128), np.uint8),
    )
    report = check_dataset(drawn_data)
    test, training, _ = report.parts
    assert report.spoils_training
    assert "hammer_0.png' is empty" in test.bad_masks[0]
    assert "multiply masks of 0 and 1 by 255" in training.bad_masks[0]
    assert "9 x 9 px, its image 96 x 128" in training.bad_masks[1]
    assert "cannot be read" in training.bad_masks[2]
    assert report.as_text().count("training leaves out:") == 4


def test_pictures_that_are_learned_from_and_tested_on_are_named(
    tmp_path: Path,
    make_test_set: Callable[[Path], None],
    make_training_set: Callable[[Path], None],
) -> None:
    make_test_set(tmp_path / "Seen" / "testset")
    make_training_set(tmp_path / "Unseen" / "trainset")
    assert check_dataset(tmp_path).duplicates == ()  # of different splits
    make_training_set(tmp_path / "Seen" / "trainset")
    report = check_dataset(tmp_path, "seen")
    # The first picture of both is the same, under two actions and with people "at work".
    assert {line.split(" is ")[1] for line in report.duplicates} == {
        str(tmp_path / "Seen/testset/egocentric" / place)
        for place in (
            "hold/mug/mug_0.png",
            "drink_with/mug/mug_0.png",
            "hold/hammer/hammer_0.png",
            "hit/hammer/hammer_0.png",
        )
    }
    assert "in training and in test: " in report.as_text()


def test_images_of_every_class_are_counted(drawn_data: Path) -> None:
    report = check_dataset(drawn_data)
    assert report.parts[0].classes == {
        "drink_with/mug": 2,
        "hit/hammer": 2,
        "hold/hammer": 2,
        "hold/mug": 2,
    }
    assert "  hold: hammer 2, mug 2" in report.as_text()
