"""From the outcomes of all trials to tables."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Outcome = Mapping[str, Any]

METRICS = ("kld", "sim", "nss")


def summarise(outcomes: Sequence[Outcome]) -> dict[str, tuple[float, float]]:
    """Mean over the test pairs of every seed, then mean and deviation over seeds.

    Args:
        outcomes: of one number of shots, at least one.

    Returns:
        (mean, standard deviation) by figure; the deviation of one seed is 0. Shares are in
        [0, 1].
    """
    by_seed: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        by_seed.setdefault(outcome["seed"], []).append(outcome)
    figures: dict[str, list[float]] = {}
    for ones in by_seed.values():
        right = [pair for outcome in ones for pair in outcome["right"]]
        wrong = sum(outcome["wrong"] for outcome in ones)
        known = [pair["peak_on_part"] for pair in right if pair["peak_on_part"] is not None]
        values = {name: statistics.fmean(pair[name] for pair in right) for name in METRICS}
        values["found"] = statistics.fmean(pair["found"] for pair in right)
        values["on_part"] = statistics.fmean(known) if known else 0.0
        wrong_found = sum(outcome["wrong_found"] for outcome in ones)
        values["wrong"] = wrong_found / wrong if wrong else 0.0
        for name, value in values.items():
            figures.setdefault(name, []).append(value)
    return {
        name: (statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0)
        for name, values in figures.items()
    }


def as_markdown(outcomes: Sequence[Outcome]) -> str:
    """Write the table over all actions, and one by action for each kind of exemplars."""
    lines = [
        "| exemplars | shots | KLD ↓ | SIM ↑ | NSS ↑ | found | peak on part | wrong object found |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for title, chosen in _kinds(outcomes).items():
        for shots in sorted({one["shots"] for one in chosen}):
            figures = summarise([one for one in chosen if one["shots"] == shots])
            lines.append(f"| {title} | {shots} | {_cells(figures)} |")
    for title, chosen in _kinds(outcomes).items():
        lines += ["", f"By action, exemplars {title}:", ""]
        lines += _by_action(chosen)
    return "\n".join(lines)


def _kinds(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    kinds = {
        "of the object": [one for one in outcomes if one["object"] is not None],
        "of all objects of the action": [one for one in outcomes if one["object"] is None],
    }
    return {title: chosen for title, chosen in kinds.items() if chosen}


def _by_action(outcomes: Sequence[Outcome]) -> list[str]:
    shots = sorted({one["shots"] for one in outcomes})
    lines = [
        "| | " + " | ".join(f"KLD, {count}" for count in shots) + " | "
        f"found, {shots[-1]} | peak on part, {shots[-1]} | wrong object found, {shots[-1]} |",
        "|---" * (len(shots) + 4) + "|",
    ]
    for topic in sorted({_topic(one) for one in outcomes}):
        chosen = [one for one in outcomes if _topic(one) == topic]
        figures = [summarise([one for one in chosen if one["shots"] == count]) for count in shots]
        last = figures[-1]
        cells = [f"{each['kld'][0]:.2f}" for each in figures]
        cells += [f"{100 * last[key][0]:.0f} %" for key in ("found", "on_part", "wrong")]
        lines.append(f"| {topic} | " + " | ".join(cells) + " |")
    return lines


def _topic(outcome: Outcome) -> str:
    return " ".join(filter(None, (outcome["action"], outcome["object"])))


def _cells(figures: Mapping[str, tuple[float, float]]) -> str:
    cells = []
    for name, (mean, deviation) in figures.items():
        scale, digits, unit = (1, 3, "") if name in METRICS else (100, 0, " %")
        cells.append(f"{scale * mean:.{digits}f} ± {scale * deviation:.{digits}f}{unit}")
    return " | ".join(cells)
