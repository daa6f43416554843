"""Several seeds as tables in the papers' form, the published rows beside them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from affordance_grounding_core.benchmark.papers import PLSP_LOSSES, PLSP_TEST_KLD, PUBLISHED
from affordance_grounding_core.benchmark.seeds import SeedRuns
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.evaluation.report import format_table

METRICS = ("kld", "sim", "nss")


def seed_tables(runs: SeedRuns) -> str:
    """Write one table for each protocol, and the authors' own run beside ours where known.

    Args:
        runs: runs of one method on one split.

    Returns:
        Text; ± is the standard deviation over seeds, "-" for a single one.
    """
    parts = [_protocol_table(runs, protocol) for protocol in PROTOCOLS]
    if runs.method == "plsp" and runs.split == "Seen":
        parts.append(_losses_table(runs.report["seeds"]))
    parts.append(_cost_line(runs.report["seeds"]))
    if runs.report["trial"]:
        parts.append("A trial: few pictures, one batch; the numbers mean nothing.")
    return "\n\n".join(part for part in parts if part)


def _protocol_table(runs: SeedRuns, protocol: str) -> str:
    rows = [
        [
            name,
            *(f"{value:.3f}" for value in (score.kld, score.sim, score.nss)),
            "",
            "best, published",
        ]
        for name, score in PUBLISHED.get((protocol, runs.split), {}).items()
    ]
    seeds = runs.report["seeds"]
    for checkpoint in ("best", "last", "run"):
        kept = [s["checkpoints"][checkpoint] for s in seeds if checkpoint in s["checkpoints"]]
        for kind in kept[0]["protocols"][protocol] if kept else ():
            scores = [outcome["protocols"][protocol][kind] for outcome in kept]
            cells = [_spread([score[metric] for score in scores]) for metric in METRICS]
            rows.append([f"ours: {kind}", *cells, str(len(kept)), checkpoint])
    head = [f"protocol {protocol}", "KLD", "SIM", "NSS", "seeds", "epoch"]
    return format_table(head, rows)


def _losses_table(seeds: Sequence[Mapping[str, Any]]) -> str:
    """Losses and test KLD of the authors' run, epoch by epoch, beside the mean of ours."""
    last = [seed["checkpoints"]["last"] for seed in seeds if "last" in seed["checkpoints"]]
    terms = list(PLSP_LOSSES[0])
    rows = []
    for epoch, theirs in PLSP_LOSSES.items():
        ours = [run["losses"][epoch] for run in last if epoch < len(run["losses"])]
        rows.append([f"{epoch}, theirs", *(f"{theirs[term]:.3f}" for term in terms), ""])
        rows.append(
            [
                f"{epoch}, ours",
                *(_spread([loss[term] for loss in ours if term in loss]) for term in terms),
                "",
            ]
        )
    for epoch, kld in PLSP_TEST_KLD.items():
        scored = [s for run in last for s in run["scores_of_epochs"] if s["epoch"] == epoch]
        blank = [""] * len(terms)
        rows.append([f"{epoch}, theirs", *blank, f"{kld:.3f}"])
        rows.append([f"{epoch}, ours", *blank, _spread([s["plsp_kld"] for s in scored])])
    return format_table(["epoch", *terms, "test KLD"], rows)


def _cost_line(seeds: Sequence[Mapping[str, Any]]) -> str:
    costs = [
        (seed["seconds"], outcome["epochs"], seed["peak_memory_mb"])
        for seed in seeds
        for outcome in list(seed["checkpoints"].values())[:1]
        if outcome["epochs"]
    ]
    if not costs:
        return ""
    epoch = statistics.mean(seconds / epochs for seconds, epochs, _ in costs)
    return (
        f"{epoch:.0f} s an epoch with start and end, {max(memory for *_, memory in costs)} MB of "
        "memory at most"
    )


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "-"
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"
