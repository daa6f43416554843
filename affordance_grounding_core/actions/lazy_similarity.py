"""Free text, understood by a text encoder that is built when the first one comes."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from affordance_grounding_core.actions.resolution import ActionResolution
from affordance_grounding_core.actions.similarity import ActionSimilarity


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
