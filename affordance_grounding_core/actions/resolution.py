"""How a command was understood, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Found = Literal["exact", "alias", "phrase", "similarity"]
"""By which step a command was understood."""


@dataclass(frozen=True)
class Candidate:
    """An entry of a vocabulary that a command may mean.

    Attributes:
        action: entry of the vocabulary.
        confidence: in [0, 1].
    """

    action: str
    confidence: float


@dataclass(frozen=True)
class ActionResolution:
    """What a command means.

    Attributes:
        text: the command as it was given.
        candidates: entries it may mean, the accepted one first; at least one. Confidences do
            not rise.
        found: step that understood it: the very name ("exact"), another word for it ("alias"),
            a phrase of everyday English ("phrase"), or the vectors of a text encoder
            ("similarity").
    """

    text: str
    candidates: tuple[Candidate, ...]
    found: Found

    @property
    def action(self) -> str:
        """Entry of the vocabulary that was accepted."""
        return self.candidates[0].action

    @property
    def confidence(self) -> float:
        """How sure the accepted entry is, in [0, 1]; 1 for a name or an alias."""
        return self.candidates[0].confidence

    @property
    def summary(self) -> str:
        """One line, for example "hold (phrase, 0.90)"."""
        return f"{self.action} ({self.found}, {self.confidence:.2f})"

    def as_dict(self) -> dict[str, object]:
        """Return plain values, ready for `json.dump`."""
        return {
            "text": self.text,
            "action": self.action,
            "found_by": self.found,
            "confidence": self.confidence,
            "candidates": {one.action: one.confidence for one in self.candidates},
        }
