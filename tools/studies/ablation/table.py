"""From the scores of all runs to one table."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.studies.ablation.runs import Run

METRICS = ("kld", "sim", "nss")
MAPS = ("plain", "calibrated")

Scores = Sequence[Mapping[str, float]]
Choice = Callable[[Scores, str], Mapping[str, float]]


def _untrained(scores: Scores, kind: str) -> Mapping[str, float]:
    return next(score for score in scores if score["epoch"] < 0)


def _last(scores: Scores, kind: str) -> Mapping[str, float]:
    return max(scores, key=lambda score: score["epoch"])


def _best(scores: Scores, kind: str) -> Mapping[str, float]:
    trained = [score for score in scores if score["epoch"] >= 0]
    return min(trained, key=lambda score: score[f"{kind}_kld"])


CHOICES: Mapping[str, Choice] = {"last": _last, "best": _best}
"""Which epoch is reported: the last, or the best on the test set, as papers do."""


@dataclass(frozen=True)
class Row:
    """Mean and spread over seeds.

    Attributes:
        title: of the setting.
        epoch: "last" or "best"; "-" before training.
        maps: "plain" class maps, or "calibrated" by affinity.
        mean: by metric.
        spread: standard deviation over seeds by metric, 0 for a single one.
        seeds: how many.
    """

    title: str
    epoch: str
    maps: str
    mean: Mapping[str, float]
    spread: Mapping[str, float]
    seeds: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**vars(self), "mean": dict(self.mean), "spread": dict(self.spread)}


def make_rows(runs: Sequence[Run]) -> list[Row]:
    """Average the runs that are done.

    Args:
        runs: of all settings and seeds.

    Returns:
        Untrained, then every setting with both maps and both choices of the epoch.
    """
    rows: list[Row] = []
    settings = list(dict.fromkeys(run.setting for run in runs))
    done = [(run, scores) for run in runs if (scores := run.scores) is not None]
    first = [scores for run, scores in done if run.setting is settings[0]]
    for kind in MAPS:
        rows += _row("untrained", "-", kind, [_untrained(scores, kind) for scores in first])
    for epoch, choose in CHOICES.items():
        for kind in MAPS:
            for setting in settings:
                chosen = [choose(s, kind) for run, s in done if run.setting is setting]
                rows += _row(setting.title, epoch, kind, chosen)
    return rows


def as_markdown(rows: Sequence[Row], references: Mapping[str, Mapping[str, float]]) -> str:
    """Draw the table.

    Args:
        rows: of the ablation.
        references: name of a guess that nothing was learnt for, to its scores by metric.
    """
    lines = [
        "| setting | epoch | maps | KLD (lower) | SIM | NSS | seeds |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, score in references.items():
        cells = " | ".join(f"{score[metric]:.3f}" for metric in METRICS)
        lines.append(f"| {name} | - | - | {cells} | - |")
    for row in rows:
        cells = " | ".join(f"{row.mean[m]:.3f} ± {row.spread[m]:.3f}" for m in METRICS)
        lines.append(f"| {row.title} | {row.epoch} | {row.maps} | {cells} | {row.seeds} |")
    return "\n".join(lines)


def _row(title: str, epoch: str, kind: str, scores: Scores) -> list[Row]:
    if not scores:
        return []
    columns = {metric: [score[f"{kind}_{metric}"] for score in scores] for metric in METRICS}
    return [
        Row(
            title,
            epoch,
            kind,
            {metric: statistics.fmean(values) for metric, values in columns.items()},
            {m: statistics.stdev(v) if len(v) > 1 else 0.0 for m, v in columns.items()},
            len(scores),
        )
    ]
