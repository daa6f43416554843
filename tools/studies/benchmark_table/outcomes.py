"""What is kept of every run: scores by kind of map, or why there are none."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.evaluation.summary import ImageScore, mean_score
from affordance_grounding_core.files import replace_json

METRICS = ("kld", "sim", "nss")
HEAT = "heat"
"""Name of the map that a robot sees; others are what a paper scores."""

Scores = Mapping[str, float]


@dataclass(frozen=True)
class Outcome:
    """One row with one seed.

    Attributes:
        maps: name of a kind of map to its mean scores; empty where the row could not be run.
        missing: why it could not; empty where it could.
        notes: how it was made: command, seconds, versions.
    """

    maps: Mapping[str, Scores]
    missing: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)


def outcome_of(scores: Sequence[ImageScore], **notes: Any) -> Outcome:
    """Average the scores of one kind of map, the heat."""
    mean = mean_score(scores)
    means = {metric: float(getattr(mean, metric)) for metric in METRICS}
    return Outcome({HEAT: {**means, "n": mean.n}}, notes=notes)


_OF_ANOTHER_PROTOCOL = "log_density"
"""WSAG-PLSP scores its softmax, by its own protocol; the table's would min-max a logarithm."""


def outcome_of_report(report: Mapping[str, Any], **notes: Any) -> Outcome:
    """Take the scores out of a report of `affordance-grounding evaluate --json`."""
    kinds = {HEAT: report["overall"]}
    kinds |= {
        name: scores["overall"]
        for name, scores in report.get("raw_maps", {}).items()
        if name != _OF_ANOTHER_PROTOCOL
    }
    maps = {
        name: {metric: float(means[metric]) for metric in (*METRICS, "n")}
        for name, means in kinds.items()
    }
    return Outcome(maps, notes={"fingerprint": report.get("fingerprint", ""), **notes})


def write_outcome(file: Path, outcome: Outcome) -> None:
    """Keep an outcome."""
    content = {"maps": dict(outcome.maps), "notes": dict(outcome.notes)}
    replace_json(file, content)


def read_outcome(file: Path) -> Outcome | None:
    """Read what was kept; None where nothing was.

    Raises:
        DatasetError: a file that is not one of `write_outcome`.
    """
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        maps = {
            str(name): {metric: float(scores[metric]) for metric in (*METRICS, "n")}
            for name, scores in content["maps"].items()
        }
        return Outcome(maps, notes=content["notes"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"outcome {str(file)!r} is damaged ({type(error).__name__}: {error}); remove it, and "
            "the run is done again"
        ) from error


@dataclass(frozen=True)
class Line:
    """One line of the table: mean and spread over seeds of one kind of map.

    Attributes:
        title: of the row, with the kind of map where it is not the heat.
        learns_from: what of the training set the row has seen.
        mean: by metric; empty where the row could not be run.
        spread: standard deviation over seeds by metric; None for a single run.
        seeds: how many runs.
        pictures: how many pairs were scored.
        missing: why the row could not be run.
    """

    title: str
    learns_from: str
    mean: Scores
    spread: Scores | None
    seeds: int
    pictures: int
    missing: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for `json.dump`."""
        return {**vars(self), "mean": dict(self.mean), "spread": self.spread and dict(self.spread)}


def make_lines(title: str, learns_from: str, outcomes: Sequence[Outcome]) -> list[Line]:
    """Average the outcomes of a row over its seeds, one line a kind of map.

    Args:
        title: of the row.
        learns_from: what of the training set the row has seen.
        outcomes: one a seed; those that are missing give the reason.
    """
    done = [outcome for outcome in outcomes if not outcome.missing]
    if not done:
        reason = next((outcome.missing for outcome in outcomes), "not run")
        return [Line(title, learns_from, {}, None, 0, 0, reason)]
    lines = []
    for kind in dict.fromkeys(kind for outcome in done for kind in outcome.maps):
        runs = [outcome.maps[kind] for outcome in done if kind in outcome.maps]
        columns = {metric: [run[metric] for run in runs] for metric in METRICS}
        several = len(runs) > 1
        lines.append(
            Line(
                title if kind == HEAT else f"{title}: {kind.replace('_', ' ')}",
                learns_from,
                {metric: statistics.fmean(values) for metric, values in columns.items()},
                {m: statistics.stdev(v) for m, v in columns.items()} if several else None,
                len(runs),
                int(runs[0]["n"]),
            )
        )
    return lines
