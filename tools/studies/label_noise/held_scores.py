"""How well a trained network finds where tools are held, of which the study refines the labels."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from affordance_grounding_core.data.agd20k import read_evaluation_set
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.files import replace_json
from affordance_grounding_core.images import read_grey, read_rgb
from affordance_grounding_core.loading import load_grounder
from tools.studies.held_tools import ACTION, HELD_OBJECTS

HELD_SCORES = "held.json"
"""File in the folder of a run: mean KLD, protocol plsp, last epoch, of each object and of all."""

ALL = "all"


def score_held(run: Path, data: Path) -> None:
    """Score the last epoch of a run on held tools, unless it is done.

    Args:
        run: folder of the run; nothing happens where it left no checkpoint.
        data: root in AGD20K layout.

    Raises:
        AffordanceGroundingError: data or checkpoint cannot be used.
        OSError: the scores cannot be written.
    """
    done, model = run / HELD_SCORES, run / "last"
    if done.is_file() or not (model / "config.json").is_file():
        return
    protocol = PROTOCOLS["plsp"]
    grounder = load_grounder(model, "eager")
    values: dict[str, list[float]] = defaultdict(list)
    for item in read_evaluation_set(data).annotated:
        if item.action == ACTION and item.object_name in HELD_OBJECTS and item.ground_truth:
            (raw,) = grounder.evaluation_maps(read_rgb(item.image), [ACTION])["log_density"]
            truth = protocol.prepare_ground_truth(read_grey(item.ground_truth))
            score = protocol.score(protocol.prepare_raw_map(raw), truth)
            values[item.object_name].append(score.kld)
    means = {name: statistics.fmean(klds) for name, klds in values.items()}
    if values:
        means[ALL] = statistics.fmean(kld for klds in values.values() for kld in klds)
    replace_json(done, means)


def held_row(title: str, runs: Sequence[Path]) -> dict[str, Any] | None:
    """Mean and spread over the runs of a setting, or None where none is scored.

    Args:
        title: of the setting.
        runs: folders, one a seed.
    """
    files = [run / HELD_SCORES for run in runs]
    found = [json.loads(file.read_text(encoding="utf-8")) for file in files if file.is_file()]
    found = [scores for scores in found if scores]
    if not found:
        return None
    row: dict[str, Any] = {"title": title, "seeds": len(found)}
    for name in found[0]:
        values = [scores[name] for scores in found]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        row[name] = {"mean": statistics.fmean(values), "spread": spread}
    return row


def held_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Draw the table of held tools; empty without rows."""
    if not rows:
        return ""
    names = [name for name in (*HELD_OBJECTS, ALL) if all(name in row for row in rows)]
    titles = ["KLD all" if name == ALL else f"KLD {ACTION}/{name}" for name in names]
    lines = [f"| labels | {' | '.join(titles)} | seeds |", "|" + "---|" * (len(names) + 2)]
    for row in rows:
        cells = " | ".join(f"{row[n]['mean']:.3f} ± {row[n]['spread']:.3f}" for n in names)
        lines.append(f"| {row['title']} | {cells} | {row['seeds']} |")
    return "\n".join(lines)
