from __future__ import annotations

import pytest

from affordance_grounding_core.actions.datasets import (
    AGD20K_SEEN,
    AGD20K_UNSEEN,
    DATASET_ACTIONS,
    HICO_IIF,
    actions_by_count,
)
from affordance_grounding_core.actions.prompts import action_prompt, exocentric_prompt
from affordance_grounding_core.actions.vocabulary import ActionVocabulary


@pytest.mark.parametrize(
    ("action", "prompt"),
    [
        ("hold", "an item to hold with"),
        ("cut_with", "an item to cut_with"),
        ("pick_up", "an item to pick_up with"),
        ("withdraw", "an item to withdraw with"),
    ],
)
def test_an_action_gets_the_word_with_once(action: str, prompt: str) -> None:
    assert action_prompt(action) == prompt


def test_people_are_described_doing_it() -> None:
    assert exocentric_prompt("cut_with") == "a person cut_with an item"


def test_the_published_vocabularies_are_told_apart_by_their_length() -> None:
    assert (len(AGD20K_SEEN), len(AGD20K_UNSEEN), len(HICO_IIF)) == (36, 25, 10)
    for actions in DATASET_ACTIONS.values():
        assert actions_by_count(len(actions)) == actions
    assert actions_by_count(8) is None


@pytest.mark.parametrize("name", DATASET_ACTIONS)
def test_they_are_vocabularies(name: str) -> None:
    ActionVocabulary(DATASET_ACTIONS[name])


def test_unseen_and_hico_hold_actions_of_seen_alone() -> None:
    assert set(AGD20K_UNSEEN) < set(AGD20K_SEEN)
    assert set(HICO_IIF) < set(AGD20K_SEEN)
    assert list(AGD20K_UNSEEN) == [a for a in AGD20K_SEEN if a in AGD20K_UNSEEN]
