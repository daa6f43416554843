"""Free text to the action it is most like, with an encoder whose vectors can be worked out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from affordance_grounding_core.actions.similarity import TextSimilarity
from affordance_grounding_core.actions.vocabulary import ActionVocabulary
from affordance_grounding_core.errors import UnknownActionError

VOCABULARY = ActionVocabulary(("hold", "cut_with", "pour"))
WORDS = ("hold", "grab", "cut", "with", "slice", "pour")


def encode(texts: Sequence[str]) -> NDArray[np.float64]:
    """Counts words; "grab" is nearly "hold", and "slice" between "cut" and "pour"."""
    vectors = np.full((len(texts), 3), 1e-3)
    for row, text in zip(vectors, texts, strict=True):
        for word in text.split():
            row += {
                "hold": (1, 0, 0),
                "grab": (0.9, 0.1, 0.1),
                "cut": (0, 1, 0),
                "with": (0, 0.2, 0),
                "slice": (0, 1, 1),
                "pour": (0, 0, 1),
            }.get(word, (0, 0, 0))
    return vectors


def test_the_most_similar_action_is_found() -> None:
    similarity = TextSimilarity(VOCABULARY, encode)
    found = similarity.resolve("grab the cup")
    assert (found.action, found.found) == ("hold", "similarity")
    assert [one.action for one in found.candidates] == ["hold", "pour", "cut_with"]
    assert 0.9 < found.confidence <= 1.0
    assert similarity.resolve("cut").action == "cut_with"


def test_a_text_between_two_actions_is_refused_with_both() -> None:
    similarity = TextSimilarity(VOCABULARY, encode, minimum_similarity=0.5)
    with pytest.raises(UnknownActionError, match="like no action in it clearly enough") as caught:
        similarity.resolve("slice")
    assert set(caught.value.closest) == {"cut_with", "pour"}


def test_a_text_like_nothing_is_refused_with_what_was_expected() -> None:
    similarity = TextSimilarity(VOCABULARY, encode)
    with pytest.raises(UnknownActionError, match=r"expected a similarity of 0\.8"):
        similarity.resolve("juggle")


def test_the_vocabulary_is_encoded_once() -> None:
    calls: list[list[str]] = []

    def counting(texts: Sequence[str]) -> NDArray[np.float64]:
        calls.append(list(texts))
        return encode(texts)

    similarity = TextSimilarity(VOCABULARY, counting)
    similarity.resolve("hold")
    similarity.resolve("pour")
    assert calls == [["hold", "cut with", "pour"], ["hold"], ["pour"]]


@pytest.mark.parametrize(
    "vectors", [np.zeros((3, 4)), np.full((3, 4), np.nan), np.ones(3), np.ones((2, 4))]
)
def test_an_encoder_that_returns_nonsense_is_refused(vectors: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="text encoder must return"):
        TextSimilarity(VOCABULARY, lambda texts: vectors)


@pytest.mark.parametrize("limits", [{"minimum_similarity": 1.5}, {"minimum_lead": -0.1}])
def test_limits_out_of_range_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="minimum_similarity must be in"):
        TextSimilarity(VOCABULARY, encode, **limits)


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6))
def test_the_length_of_a_vector_does_not_matter(words: list[str]) -> None:
    text = " ".join(words)

    def resolve(scale: float) -> str:
        similarity = TextSimilarity(VOCABULARY, lambda texts: scale * encode(texts))
        try:
            return similarity.resolve(text).action
        except UnknownActionError:
            return ""

    assert resolve(1.0) == resolve(1000.0)
