"""The AGD20K layout, from whichever folder a user points at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from affordance_grounding_core.data.agd20k import (
    affordances_of_objects,
    read_evaluation_set,
    read_training_set,
    select_objects,
)
from affordance_grounding_core.errors import DatasetError

MakeSet = Callable[[Path], None]


def test_a_test_set_is_listed_in_order_with_its_ground_truth(drawn_data: Path) -> None:
    dataset = read_evaluation_set(drawn_data)
    assert dataset.split is None
    assert [(i.action, i.object_name, i.image.name) for i in dataset.images] == [
        ("drink_with", "mug", "mug_0.png"),
        ("drink_with", "mug", "mug_1.png"),
        ("hit", "hammer", "hammer_0.png"),
        ("hit", "hammer", "hammer_1.png"),
        ("hold", "hammer", "hammer_0.png"),
        ("hold", "hammer", "hammer_1.png"),
        ("hold", "mug", "mug_0.png"),
        ("hold", "mug", "mug_1.png"),
    ]
    assert dataset.annotated == dataset.images
    assert dataset.images[0].ground_truth == (
        drawn_data / "testset" / "GT" / "drink_with" / "mug" / "mug_0.png"
    )


def test_the_testset_folder_itself_is_as_good_as_its_root(drawn_data: Path) -> None:
    assert read_evaluation_set(drawn_data / "testset") == read_evaluation_set(drawn_data)
    assert read_training_set(drawn_data / "trainset") == read_training_set(drawn_data)


def test_a_test_set_under_another_name_is_known_by_its_ground_truth(
    tmp_path: Path, make_test_set: MakeSet
) -> None:
    make_test_set(tmp_path / "kitchen")
    assert len(read_evaluation_set(tmp_path / "kitchen").images) == 8


def test_images_without_ground_truth_are_listed_as_such(drawn_data: Path) -> None:
    (drawn_data / "testset" / "GT" / "hit" / "hammer" / "hammer_1.png").unlink()
    dataset = read_evaluation_set(drawn_data)
    assert len(dataset.images) == 8
    assert len(dataset.annotated) == 7


def test_files_at_the_wrong_depth_are_not_lost_silently(drawn_data: Path) -> None:
    source = drawn_data / "testset" / "egocentric" / "hit" / "hammer" / "hammer_1.png"
    strays = [
        drawn_data / "testset" / "egocentric" / "hit" / "stray.png",
        drawn_data / "testset" / "egocentric" / "hit" / "hammer" / "more" / "deep.png",
    ]
    strays[1].parent.mkdir()
    for stray in strays:
        stray.write_bytes(source.read_bytes())
    dataset = read_evaluation_set(drawn_data)
    assert len(dataset.images) == 8
    assert set(dataset.misplaced) == set(strays)


def test_training_images_know_their_part_masks(drawn_data: Path) -> None:
    missing = drawn_data / "trainset" / "PL" / "hold" / "mug" / "mug_2_pl.png"
    missing.unlink()
    training = read_training_set(drawn_data)
    assert len(training.egocentric) == len(training.exocentric) == 12
    assert [item.image.name for item in training.egocentric if item.part_mask is None] == [
        "mug_2.png"
    ]
    assert training.egocentric[0].part_mask == (
        drawn_data / "trainset" / "PL" / "drink_with" / "mug" / "mug_0_pl.png"
    )


def test_splits_are_chosen_by_name(
    tmp_path: Path, make_test_set: MakeSet, make_training_set: MakeSet
) -> None:
    for split in ("Seen", "Unseen"):
        make_test_set(tmp_path / split / "testset")
    make_training_set(tmp_path / "Seen" / "trainset")
    unseen = read_evaluation_set(tmp_path, "Unseen")
    assert unseen.split == "Unseen"
    assert unseen.folder == tmp_path / "Unseen" / "testset"
    assert read_training_set(tmp_path).split == "Seen"
    assert read_evaluation_set(tmp_path / "Seen").split == "Seen"
    assert read_evaluation_set(tmp_path / "Seen", "Seen").split == "Seen"
    with pytest.raises(DatasetError, match="say which with split"):
        read_evaluation_set(tmp_path)
    with pytest.raises(DatasetError, match="no testset"):
        read_evaluation_set(tmp_path / "Seen", "Unseen")
    with pytest.raises(DatasetError, match="must be one of"):
        read_evaluation_set(tmp_path, "../elsewhere")


def test_a_split_that_the_data_does_not_have_is_refused(drawn_data: Path) -> None:
    with pytest.raises(DatasetError, match="for split 'Seen'"):
        read_evaluation_set(drawn_data, "Seen")


def test_a_training_set_is_never_taken_for_a_test_set(drawn_data: Path) -> None:
    with pytest.raises(DatasetError, match="no testset"):
        read_evaluation_set(drawn_data / "trainset")
    with pytest.raises(DatasetError, match="no trainset"):
        read_training_set(drawn_data / "testset")


def test_a_wrong_root_is_told_what_was_looked_for_and_found(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        read_evaluation_set(tmp_path / "nowhere")
    (tmp_path / "holiday").mkdir()
    with pytest.raises(DatasetError, match=r"testset/egocentric/ACTION.*found holiday.*https://"):
        read_evaluation_set(tmp_path)
    with pytest.raises(DatasetError, match="found an empty folder"):
        read_training_set(tmp_path / "holiday")
    (tmp_path / "testset" / "egocentric" / "hold").mkdir(parents=True)
    with pytest.raises(DatasetError, match="holds no image"):
        read_evaluation_set(tmp_path)


def test_affordances_are_collected_over_all_listings(drawn_data: Path) -> None:
    test, training = read_evaluation_set(drawn_data), read_training_set(drawn_data)
    only_hit = [item for item in test.images if item.action == "hit"]
    assert affordances_of_objects(only_hit) == {"hammer": {"hit"}}
    assert affordances_of_objects([*only_hit, *training.egocentric]) == {
        "hammer": {"hit", "hold"},
        "mug": {"drink_with", "hold"},
    }


def test_objects_are_selected_by_name(drawn_data: Path) -> None:
    dataset = read_evaluation_set(drawn_data)
    chosen = select_objects(dataset, ["mug"])
    assert {item.object_name for item in chosen.images} == {"mug"}
    assert len(chosen.images) == 4
    assert select_objects(dataset, []) == dataset
    with pytest.raises(DatasetError, match=r"no object \['cup'\].*'hammer', 'mug'"):
        select_objects(dataset, ["cup", "mug"])


@pytest.mark.parametrize("name", ["unseen", "UNSEEN", "Unseen"])
def test_splits_may_be_named_in_any_case(tmp_path: Path, make_test_set: MakeSet, name: str) -> None:
    for split in ("Seen", "Unseen"):
        make_test_set(tmp_path / split / "testset")
    assert read_evaluation_set(tmp_path, name).folder == tmp_path / "Unseen" / "testset"


def test_hico_iif_has_no_split_folder(
    tmp_path: Path, make_test_set: MakeSet, make_training_set: MakeSet
) -> None:
    make_test_set(tmp_path / "data" / "testset")
    make_training_set(tmp_path / "data" / "trainset")
    for name in ("hico-iif", "HICO_IIF", "hico"):
        found = read_evaluation_set(tmp_path / "data", name)
        assert (found.split, found.folder) == ("HICO-IIF", tmp_path / "data" / "testset")
    assert read_training_set(tmp_path / "data" / "trainset", "hico-iif").split == "HICO-IIF"
    (tmp_path / "data").rename(tmp_path / "HICO-IIF")
    assert read_training_set(tmp_path, "hico-iif").split == "HICO-IIF"
    assert read_training_set(tmp_path / "HICO-IIF").split == "HICO-IIF"


def test_agd20k_is_not_taken_for_hico_iif(tmp_path: Path, make_test_set: MakeSet) -> None:
    make_test_set(tmp_path / "Seen" / "testset")
    for root in (tmp_path, tmp_path / "Seen"):
        with pytest.raises(DatasetError, match=r"expected testset/egocentric.* or HICO-IIF/test"):
            read_evaluation_set(root, "hico-iif")


def test_empty_class_folders_are_listed_and_do_no_harm(drawn_data: Path) -> None:
    empty = [
        drawn_data / "trainset" / "egocentric" / "hold" / "cup",
        drawn_data / "trainset" / "egocentric" / "pour",
        drawn_data / "trainset" / "exocentric" / "hit" / "axe",
    ]
    before = read_training_set(drawn_data)
    for folder in empty:
        folder.mkdir(parents=True)
    (empty[2] / "notes.txt").write_text("no image")
    after = read_training_set(drawn_data)
    assert after.empty_classes == tuple(empty)
    assert (after.egocentric, after.exocentric) == (before.egocentric, before.exocentric)
