"""Pictures of a test set: the typical one of each action, and the worst failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from affordance_grounding_core.data.agd20k import affordances_of_objects, read_evaluation_set
from affordance_grounding_core.evaluation.datasets import training_set_beside
from affordance_grounding_core.evaluation.evaluate import (
    Evaluation,
    RightPair,
    WrongPair,
    evaluate_grounder,
)
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.evaluation.summary import group_by
from affordance_grounding_core.images import read_rgb
from affordance_grounding_core.inference.grounder import Grounder
from tools.gallery.cells import Cell, Verdict, judge_right_pair, make_cell


@dataclass(frozen=True)
class RenderCells:
    """What the gallery shows of a test set.

    Attributes:
        typical: for every action the picture whose KLD is the median of those answered rightly.
        failures: the worst of each kind.
        note: how many pairs there are and how many of them failed, for the caption.
    """

    typical: list[Cell]
    failures: list[Cell]
    note: str


def render_cells(grounder: Grounder, root: Path, failures: int) -> RenderCells:
    """Evaluate a test set, and choose what is shown of it.

    Args:
        grounder: to ask.
        root: of the data, in AGD20K layout.
        failures: how many failures are shown at most.

    Raises:
        DatasetError: a folder of another layout, or without a pair the model knows.
    """
    dataset = read_evaluation_set(root)
    training = training_set_beside(dataset)
    affordances = affordances_of_objects(
        [*dataset.images, *training.egocentric] if training else dataset.images
    )
    evaluation = evaluate_grounder(
        grounder, dataset, PROTOCOLS["locate"], affordances, show_progress=True
    )
    wrong = [pair for pair in evaluation.right if _verdict(pair) != "right"]
    alarms = [pair for pair in evaluation.wrong if pair.found]
    note = (
        f"Of {len(evaluation.right)} pairs of an image and an action {len(wrong)} failed; of "
        f"{len(evaluation.wrong)} pairs with an action that is not afforded, {len(alarms)} were "
        "found all the same."
    )
    return RenderCells(
        [_right_cell(grounder, pair) for pair in choose_typical(evaluation)],
        [
            *(_right_cell(grounder, pair) for pair in choose_worst(wrong, failures)),
            *(_alarm_cell(grounder, pair) for pair in choose_alarms(alarms, (failures + 2) // 3)),
        ][:failures],
        note,
    )


def choose_typical(evaluation: Evaluation) -> list[RightPair]:
    """For every action the pair whose KLD is the median of those answered rightly."""
    right = [pair for pair in evaluation.right if _verdict(pair) == "right"]
    groups = group_by(right, lambda pair: pair.result.image.action)
    ranked = (sorted(group, key=_kld) for group in groups.values())
    return [group[len(group) // 2] for group in ranked]


def choose_worst(pairs: Sequence[RightPair], count: int) -> list[RightPair]:
    """The pairs of highest KLD, one an action before a second one of any, worst first."""
    groups = group_by(pairs, lambda pair: pair.result.image.action)
    ranked = [sorted(group, key=_kld, reverse=True) for group in groups.values()]
    rounds = [(place, -_kld(pair), pair) for group in ranked for place, pair in enumerate(group)]
    return [pair for *_, pair in sorted(rounds, key=lambda item: item[:2])][: count * 2 // 3]


def choose_alarms(pairs: Sequence[WrongPair], count: int) -> list[WrongPair]:
    """The hottest false alarms, one an object."""
    groups = group_by(pairs, lambda pair: pair.object_name)
    hottest = [max(group, key=lambda pair: pair.peak) for group in groups.values()]
    return sorted(hottest, key=lambda pair: -pair.peak)[:count]


def _kld(pair: RightPair) -> float:
    return pair.result.score.kld


def _verdict(pair: RightPair) -> Verdict:
    return judge_right_pair(found=pair.found, on_part=pair.peak_on_part)


def _right_cell(grounder: Grounder, pair: RightPair) -> Cell:
    item = pair.result.image
    image = read_rgb(item.image)
    result = grounder.ground(image, item.action)
    return make_cell(item.object_name.replace("_", " "), image, result, _verdict(pair))


def _alarm_cell(grounder: Grounder, pair: WrongPair) -> Cell:
    image = read_rgb(pair.image)
    result = grounder.ground(image, pair.action)
    return make_cell(pair.object_name.replace("_", " "), image, result, "false alarm")
