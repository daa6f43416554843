"""From free text to the action it is most like, by the vectors of a text encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.actions.resolution import ActionResolution, Candidate
from affordance_grounding_core.actions.vocabulary import ActionVocabulary, abbreviate
from affordance_grounding_core.errors import UnknownActionError

TextEncoder = Callable[[Sequence[str]], NDArray[np.floating]]
"""K texts to (K, D) vectors, in any length."""


class ActionSimilarity(Protocol):
    """Finds the action a free text means, where no name or alias matches."""

    def resolve(self, text: str) -> ActionResolution:
        """Find the entry of the vocabulary that a text is most like.

        Called from the thread that receives commands, while the network may be running in
        another one.

        Args:
            text: a command, printable, at most `MAXIMUM_ACTION_LENGTH` characters.

        Returns:
            The entry, and those that come next.

        Raises:
            UnknownActionError: no entry is like it, or two are equally so.
        """
        ...


class TextSimilarity:
    """Compares a command with the actions of a vocabulary by the cosine of their vectors.

    Args:
        vocabulary: its names are encoded once, here.
        encode: text encoder; safe to call while the network runs.
        minimum_similarity: least cosine of an accepted answer, in [-1, 1]. Depends on the
            encoder: CLIP's cosines of unrelated short texts are about 0.7.
        minimum_lead: how much more similar the best entry must be than the second; at least 0.

    Raises:
        ValueError: a limit out of range, or an encoder that does not return (K, D) finite
            vectors with a length.
    """

    def __init__(
        self,
        vocabulary: ActionVocabulary,
        encode: TextEncoder,
        *,
        minimum_similarity: float = 0.8,
        minimum_lead: float = 0.01,
    ) -> None:
        if not -1.0 <= minimum_similarity <= 1.0 or not minimum_lead >= 0.0:
            raise ValueError(
                "minimum_similarity must be in [-1, 1] and minimum_lead at least 0, got "
                f"{minimum_similarity} and {minimum_lead}"
            )
        self._vocabulary = vocabulary
        self._encode = encode
        self._minimum_similarity = minimum_similarity
        self._minimum_lead = minimum_lead
        self._vectors = self._unit_vectors([name.replace("_", " ") for name in vocabulary.names])

    def resolve(self, text: str) -> ActionResolution:
        """Find the entry of the vocabulary that a text is most like.

        Args:
            text: a command.

        Returns:
            The entry, and the two that come next; confidences are cosines, 0 where negative.

        Raises:
            UnknownActionError: the best entry is not similar enough, or hardly more so than the
                second; the message names both with their similarities.
            ValueError: the encoder returned something else than a finite vector.
        """
        similarities = self._vectors @ self._unit_vectors([text])[0]
        order = np.argsort(-similarities, kind="stable")
        names: list[str] = [self._vocabulary.names[index] for index in order[:3]]
        values = [float(similarities[index]) for index in order[:3]]
        if values[0] >= self._minimum_similarity and (
            len(values) == 1 or values[0] - values[1] >= self._minimum_lead
        ):
            candidates = (
                Candidate(name, min(1.0, max(0.0, value)))
                for name, value in zip(names, values, strict=True)
            )
            return ActionResolution(text, tuple(candidates), "similarity")
        described = ", ".join(
            f"{name!r} ({value:.2f})" for name, value in zip(names[:2], values[:2], strict=True)
        )
        raise UnknownActionError(
            f"action {abbreviate(text)} is not in this model's vocabulary of "
            f"{len(self._vocabulary.names)}, and like no action in it clearly enough; most "
            f"similar: {described}; expected a similarity of {self._minimum_similarity:g} and a "
            f"lead of {self._minimum_lead:g}: use one of these names",
            names[:2],
        )

    def _unit_vectors(self, texts: Sequence[str]) -> NDArray[np.float64]:
        vectors = np.asarray(self._encode(texts), np.float64)
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            raise ValueError(
                f"text encoder must return finite vectors of shape ({len(texts)}, D), got shape "
                f"{vectors.shape}"
            )
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (lengths > 0.0).all():
            raise ValueError("text encoder must return vectors with a length, got a zero vector")
        unit: NDArray[np.float64] = vectors / lengths
        return unit


class LazySimilarity:
    """Builds a similarity on first use: most robots only ever send names of the vocabulary.

    Args:
        build: makes it; takes seconds and memory.
    """

    def __init__(self, build: Callable[[], ActionSimilarity]) -> None:
        self._build = build
        self._lock = Lock()
        self._built: ActionSimilarity | None = None

    def resolve(self, text: str) -> ActionResolution:
        """Find the entry of the vocabulary that a text is most like; see `ActionSimilarity`."""
        with self._lock:
            if self._built is None:
                self._built = self._build()
            built = self._built
        return built.resolve(text)
