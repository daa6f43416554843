"""A trial looks at a few pictures of every action and leaves the run alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from affordance_grounding_core.data.agd20k import read_evaluation_set, read_training_set
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.training.trial import link_few, trial_arguments


@pytest.fixture
def many(tmp_path: Path, make_training_set: Callable[..., None]) -> Path:
    """A training set of twenty pictures a class."""
    make_training_set(tmp_path / "many" / "trainset", 20)
    return tmp_path / "many"


def test_a_few_pictures_of_every_action_are_linked_with_all_that_is_theirs(
    many: Path, make_test_set: Callable[..., None], tmp_path: Path
) -> None:
    make_test_set(many / "testset", 4)
    link_few(many, None, tmp_path / "few")
    few = read_training_set(tmp_path / "few")
    assert Counter(item.action for item in few.egocentric) == {
        "hold": 2,
        "drink_with": 2,
        "hit": 2,
    }
    assert {i.object_name for i in few.egocentric if i.action == "hold"} == {"mug", "hammer"}
    assert all(item.part_mask for item in few.egocentric)
    shown = Counter((item.action, item.object_name) for item in few.exocentric)
    assert set(shown.values()) == {2}
    assert shown.keys() == {(item.action, item.object_name) for item in few.egocentric}
    test = read_evaluation_set(tmp_path / "few")
    assert Counter(item.action for item in test.annotated) == {"hold": 1, "drink_with": 1, "hit": 1}


def test_splits_and_data_without_a_test_set_keep_their_layout(
    make_training_set: Callable[..., None], tmp_path: Path
) -> None:
    for split in ("Seen", "Unseen"):
        make_training_set(tmp_path / "agd" / split / "trainset", 5)
    link_few(tmp_path / "agd", "unseen", tmp_path / "few")
    assert read_training_set(tmp_path / "few", "unseen").split == "Unseen"
    make_training_set(tmp_path / "plain" / "trainset", 5)
    link_few(tmp_path / "plain", "hico-iif", tmp_path / "other")
    assert read_training_set(tmp_path / "other", "hico-iif").split == "HICO-IIF"
    with pytest.raises(DatasetError, match="no trainset"):
        link_few(tmp_path, None, tmp_path / "none")


def test_the_folder_of_the_trial_lives_as_long_as_the_trial(many: Path, tmp_path: Path) -> None:
    given = [f"--data.root={many}", "--output", str(tmp_path / "run")]
    with trial_arguments(given) as arguments:
        assert arguments[: len(given)] == given
        assert f"--output={tmp_path / 'run' / 'trial'}" in arguments
        (root,) = (Path(a.partition("=")[2]) for a in arguments[3:] if "data.root" in a)
        assert len(read_training_set(root).egocentric) == 6
    assert not root.exists()
    assert len(read_training_set(many).egocentric) == 80
