"""One picture of the gallery: what was asked, what was answered, and whether that is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.images import RgbImage
from affordance_grounding_core.inference.overlay import OverlayConfig, draw_overlay
from affordance_grounding_core.inference.result import Box, GroundingResult

Verdict = Literal["right", "missed", "wrong place", "false alarm", ""]
"""Judgement of an answer; empty where nobody has judged it."""

FAILURES: tuple[Verdict, ...] = ("missed", "wrong place", "false alarm")

_OVERLAY = OverlayConfig(caption=False, boxes=False)


@dataclass(frozen=True)
class Cell:
    """One picture of the gallery.

    Attributes:
        name: of what is seen.
        result: answer of the grounder.
        verdict: whether it is right.
        picture: the photograph with heat and regions.
    """

    name: str
    result: GroundingResult
    verdict: Verdict
    picture: RgbImage

    @property
    def failed(self) -> bool:
        """Whether the answer is wrong."""
        return self.verdict in FAILURES

    @property
    def caption(self) -> tuple[str, str]:
        """What was asked; and the answer with its score and verdict."""
        found = "found" if self.result.found else "not found"
        judged = f", {self.verdict}" if self.verdict else ""
        return (
            f"{self.name}: {self.result.action.replace('_', ' ')}",
            f"{found} {self.result.score:.2f}{judged}",
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for `json.dump`."""
        return {
            "name": self.name,
            "action": self.result.action,
            "found": self.result.found,
            "score": round(self.result.score, 4),
            "verdict": self.verdict,
        }


def make_cell(
    name: str, image: NDArray[np.uint8], result: GroundingResult, verdict: Verdict
) -> Cell:
    """Draw an answer over its image."""
    return Cell(name, result, verdict, draw_overlay(image, result, _OVERLAY))


def judge(result: GroundingResult, places: Sequence[Box]) -> Verdict:
    """Judge an answer by the places where the action happens.

    Args:
        result: answer.
        places: boxes in px, one of which the hottest pixel must lie in; none where the action
            is not afforded.
    """
    if not places:
        return "false alarm" if result.found else "right"
    row, column = np.unravel_index(int(result.heatmap.argmax()), result.heatmap.shape)
    hit = any(
        box.x <= column < box.x + box.width and box.y <= row < box.y + box.height for box in places
    )
    return judge_right_pair(found=result.found, on_part=hit)


def judge_right_pair(*, found: bool, on_part: bool | None) -> Verdict:
    """Judge the answer to an action that is afforded.

    Args:
        found: whether the grounder says so.
        on_part: whether the hottest pixel lies on the part; None where that is not known.
    """
    if not found:
        return "missed"
    return "wrong place" if on_part is False else "right"
