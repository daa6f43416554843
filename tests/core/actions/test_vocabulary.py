from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affordance_grounding_core.actions.aliases import ALIASES
from affordance_grounding_core.actions.vocabulary import (
    ActionVocabulary,
    vocabulary_from_mapping,
)
from affordance_grounding_core.errors import UnknownActionError

VOCABULARY = ActionVocabulary(
    ("hold", "drink_with", "cut_with"), {"grasp": "hold", "sip": "drink_with"}
)


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("hold", "hold"),
        (" HOLD ", "hold"),
        ("Cut with", "cut_with"),
        ("cut-with.", "cut_with"),
        ("cut__with", "cut_with"),
        ("Grasp!", "hold"),
        ("\uff48old", "hold"),
    ],
)
def test_spellings_resolve(text: str, action: str) -> None:
    assert VOCABULARY.resolve(text) == action


def test_unknown_action_names_the_closest() -> None:
    with pytest.raises(UnknownActionError, match=r"'grabb' is not .* closest: 'hold'") as caught:
        ActionVocabulary(("hold",), {"grab": "hold"}).resolve("grabb")
    assert caught.value.closest == ("hold",)


@pytest.mark.parametrize("text", ["", "   ", "...", "__"])
def test_empty_action_is_refused(text: str) -> None:
    with pytest.raises(UnknownActionError, match="names no action"):
        VOCABULARY.resolve(text)


@pytest.mark.parametrize("value", [None, 3, b"hold"])
def test_what_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(UnknownActionError, match="action must be a text, got"):
        VOCABULARY.resolve(value)  # type: ignore[arg-type]


def test_very_long_action_is_refused_with_a_short_message() -> None:
    with pytest.raises(UnknownActionError, match="10000 characters") as caught:
        VOCABULARY.resolve("hold" * 2500)
    assert len(str(caught.value)) < 400


@given(st.text(max_size=300))
def test_any_text_resolves_or_is_refused_in_one_printable_line(text: str) -> None:
    with contextlib.suppress(UnknownActionError):
        assert VOCABULARY.resolve(text) in VOCABULARY.names
        return
    with pytest.raises(UnknownActionError) as caught:
        VOCABULARY.resolve(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("names", "aliases", "reason"),
    [
        ((), {}, "at least one action"),
        (("hold", "hold"), {}, "unique"),
        (("Hold",), {}, "lower case"),
        (("hold",), {"grab": "take"}, "must point to one of"),
    ],
)
def test_impossible_vocabularies_are_refused(
    names: tuple[str, ...], aliases: dict[str, str], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        ActionVocabulary(names, aliases)


def test_aliases_never_hide_an_action() -> None:
    vocabulary = vocabulary_from_mapping(["hold", "push"], ALIASES)
    assert vocabulary.resolve("push") == "push"
    assert vocabulary.resolve("grab") == "hold"
    with pytest.raises(UnknownActionError):
        vocabulary.resolve("pour_from")
