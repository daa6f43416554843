"""An evaluation as JSON and as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from affordance_grounding_core.data.agd20k import EvaluationSet
from affordance_grounding_core.evaluation.evaluate import Evaluation, RightPair, WrongPair
from affordance_grounding_core.evaluation.masks import MaskScore, masks_as_dict
from affordance_grounding_core.evaluation.shares import (
    detection_as_dict,
    found_share,
    mask_means,
    peak_in_mask_share,
    peak_share,
    precision_and_recall,
    sources_as_dict,
)
from affordance_grounding_core.evaluation.summary import (
    ImageScore,
    MeanScore,
    group_by,
    mean_by_action,
    mean_by_object,
    mean_score,
)
from affordance_grounding_core.inference.grounder import Grounder

MESSAGES_SHOWN = 20
"""How many messages about unreadable files the table for people has; the JSON has all."""


@dataclass(frozen=True)
class EvaluationReport:
    """Everything that is said about an evaluation.

    Attributes:
        protocol: name of the protocol; numbers of another one are not comparable.
        data: name of the data's root folder, or of the test list.
        split: "Seen", "Unseen" or None where the data has no splits.
        model: name or folder the model was loaded by.
        method: training method of the model.
        fingerprint: sha256 of the checkpoint, weights and config, hexadecimal.
        runtime: runtime, device and precision.
        threshold: heat at or above which something counts as found.
        evaluation: the pairs.
        misplaced: image files of the data set that do not lie in an ACTION/OBJECT folder.
        baselines: scores of guesses that do not look at the image, by name.
        looks: looks at a picture, see `inference.looks`.
        image_turn: degrees by which pictures were turned, see `inference.turn`.
    """

    protocol: str
    data: str
    split: str | None
    model: str
    method: str
    fingerprint: str
    runtime: str
    threshold: float
    evaluation: Evaluation
    misplaced: int = 0
    baselines: Mapping[str, Sequence[ImageScore]] = field(default_factory=dict)
    looks: str = "1"
    image_turn: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values, ready for `json.dump`; shares lie in [0, 1]."""
        evaluation, scores = self.evaluation, self.evaluation.scores
        return {
            "protocol": self.protocol,
            "data": self.data,
            "split": self.split,
            "model": self.model,
            "method": self.method,
            "fingerprint": self.fingerprint,
            "runtime": self.runtime,
            "looks": self.looks,
            "image_turn": self.image_turn,
            "overall": asdict(mean_score(scores)),
            "per_action": _plain(mean_by_action(scores)),
            "per_object": _plain(mean_by_object(scores)),
            "per_source": sources_as_dict(evaluation.right),
            "detection": detection_as_dict(evaluation, self.threshold),
            "masks": masks_as_dict(_named_masks(evaluation.right)),
            "hot_regions": masks_as_dict(
                (pair.result.image.action, pair.hot_region)
                for pair in evaluation.right
                if pair.hot_region is not None
            ),
            "raw_maps": {
                name: {
                    "overall": asdict(mean_score(raw)),
                    "per_action": _plain(mean_by_action(raw)),
                    "per_object": _plain(mean_by_object(raw)),
                }
                for name, raw in evaluation.raw_maps.items()
            },
            "baselines": {
                name: {
                    "overall": asdict(mean_score(baseline)),
                    "per_action": _plain(mean_by_action(baseline)),
                }
                for name, baseline in self.baselines.items()
                if baseline
            },
            "skipped": {
                "without_ground_truth": evaluation.without_ground_truth,
                "unknown_actions": dict(evaluation.unknown_actions),
                "unreadable": list(evaluation.unreadable),
                "misplaced": self.misplaced,
                "refused_sentences": evaluation.refused,
                "refusals": list(evaluation.refusals),
            },
            "empty_ground_truth": sum(p.peak_on_part is None for p in evaluation.right),
        }

    def as_text(self) -> str:
        """Return the report as an aligned table of plain text."""
        return "\n\n".join(
            part
            for part in (
                self._heading(),
                self._scores(),
                self._masks(),
                self._sources(),
                self._detection(),
                self._comparison(),
                self._notes(),
            )
            if part
        )

    def _heading(self) -> str:
        split = f" {self.split}" if self.split else ""
        looks = "" if self.looks == "1" else f", looks {self.looks}"
        turn = f", turned {self.image_turn}°" if self.image_turn else ""
        return (
            f"{self.model} ({self.method}, {self.fingerprint[:12]}, {self.runtime}{looks}{turn}) "
            f"on {self.data}{split}, protocol {self.protocol}\n"
            f"KLD: lower is better; SIM, NSS: higher is better; found at heat >= "
            f"{self.threshold:g}"
        )

    def _scores(self) -> str:
        evaluation, scores = self.evaluation, self.evaluation.scores
        right = group_by(evaluation.right, lambda pair: pair.result.image.action)
        wrong = group_by(evaluation.wrong, lambda pair: pair.action)
        head = ["", "n", "KLD", "SIM", "NSS", "found", "peak on part", "wrong found"]
        rows = [
            [action, *_cells(mean), *_shares(right[action], wrong.get(action, []))]
            for action, mean in mean_by_action(scores).items()
        ]
        rows.append(
            [
                "overall",
                *_cells(mean_score(scores)),
                *_shares(evaluation.right, evaluation.wrong),
            ]
        )
        rows += [
            [f"{name} (as in the paper)", *_cells(mean_score(raw)), "", "", ""]
            for name, raw in evaluation.raw_maps.items()
        ]
        rows += [
            [name, *_cells(mean_score(baseline)), "", "", ""]
            for name, baseline in self.baselines.items()
            if baseline
        ]
        return format_table(head, rows)

    def _masks(self) -> str:
        """Published masks against those of the parts, where the data has any."""
        pairs = [pair for pair in self.evaluation.right if pair.mask is not None]
        if not pairs:
            return ""
        groups = {**group_by(pairs, lambda pair: pair.result.image.action), "overall": pairs}
        head = ["masks", "n", "gIoU", "cIoU", "P@50", "P@50:95", "peak in mask"]
        return format_table(head, [[name, *_mask_cells(group)] for name, group in groups.items()])

    def _sources(self) -> str:
        """One line for every source of a test list, where it names any."""
        groups = group_by(self.evaluation.right, lambda pair: pair.result.image.source)
        if not any(groups):
            return ""
        head = ["source", "n", "KLD", "SIM", "NSS", "found", "peak on part"]
        head += ["masks", "gIoU", "cIoU", "P@50", "P@50:95", "peak in mask"]
        rows = [
            [
                name or "-",
                *_cells(mean_score([pair.result for pair in group])),
                _percent(found_share(group)),
                _percent(peak_share(group)),
                *_mask_cells(group),
            ]
            for name, group in groups.items()
        ]
        return format_table(head, rows)

    def _detection(self) -> str:
        """How well the peaks tell afforded actions from others, over all thresholds."""
        if not self.evaluation.wrong:
            return ""
        figures = precision_and_recall(self.evaluation)
        at = figures["at_threshold"]
        precision = "-" if at["precision"] is None else f"{at['precision']:.3f}"
        return (
            f"found, {len(self.evaluation.right)} afforded and {len(self.evaluation.wrong)} other "
            f"pairs: AP {figures['average_precision']:.3f}; at the threshold precision "
            f"{precision}, recall {at['recall']:.3f}"
        )

    def _comparison(self) -> str:
        """KLD by action beside the baselines."""
        baselines = {name: scores for name, scores in self.baselines.items() if scores}
        if not baselines:
            return ""
        columns = [
            mean_by_action(scores) for scores in (self.evaluation.scores, *baselines.values())
        ]
        rows = [
            [action, *(f"{c[action].kld:.3f}" if action in c else "-" for c in columns)]
            for action in columns[0]
        ]
        return format_table(["KLD", "model", *baselines], rows)

    def _notes(self) -> str:
        evaluation = self.evaluation
        unknown = sum(evaluation.unknown_actions.values())
        counts = {
            "images without ground truth": evaluation.without_ground_truth,
            f"images of actions the model does not know {list(evaluation.unknown_actions)}": (
                unknown
            ),
            "image files outside ACTION/OBJECT folders": self.misplaced,
            "files that cannot be read": len(evaluation.unreadable),
            "sentences that the model refuses": evaluation.refused,
        }
        lines = [f"skipped: {count} {what}" for what, count in counts.items() if count]
        messages = [*evaluation.unreadable[:MESSAGES_SHOWN], *evaluation.refusals]
        return "\n".join([*lines, *(f"  {message}" for message in messages)])


def make_report(
    grounder: Grounder,
    dataset: EvaluationSet | Path,
    protocol: str,
    evaluation: Evaluation,
    baselines: Mapping[str, Sequence[ImageScore]],
) -> EvaluationReport:
    """Put an evaluation together with what was evaluated, how and on what.

    Args:
        grounder: grounder that was evaluated.
        dataset: test set, or the path of a test list.
        protocol: name of the protocol.
        evaluation: outcome.
        baselines: scores of guesses, by name.
    """
    if isinstance(dataset, Path):
        data, split, misplaced = dataset.name, None, 0
    else:
        root = dataset.folder.resolve().parent
        data = root.parent.name if dataset.split == root.name else root.name
        split, misplaced = dataset.split, len(dataset.misplaced)
    return EvaluationReport(
        protocol=protocol,
        data=data,
        split=split,
        model=grounder.information.name,
        method=grounder.information.method,
        fingerprint=grounder.information.fingerprint,
        runtime=grounder.runtime,
        threshold=grounder.regions.threshold,
        evaluation=evaluation,
        misplaced=misplaced,
        baselines=baselines,
        looks=grounder.looks,
        image_turn=grounder.image_turn,
    )


def format_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align cells: the first column to the left, the others to the right."""
    table = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def _plain(means: Mapping[str, MeanScore]) -> dict[str, dict[str, float]]:
    return {name: asdict(mean) for name, mean in means.items()}


def _cells(mean: MeanScore) -> list[str]:
    return [str(mean.n), f"{mean.kld:.3f}", f"{mean.sim:.3f}", f"{mean.nss:.3f}"]


def _shares(right: Sequence[RightPair], wrong: Sequence[WrongPair]) -> list[str]:
    return [
        _percent(share) for share in (found_share(right), peak_share(right), found_share(wrong))
    ]


def _mask_cells(pairs: Sequence[RightPair]) -> list[str]:
    mean = mask_means(pairs)
    if mean is None:
        return ["-"] * 6
    shares = (mean.p50, mean.p50_95, peak_in_mask_share(pairs))
    return [str(mean.n), f"{mean.giou:.3f}", f"{mean.ciou:.3f}", *map(_percent, shares)]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _named_masks(pairs: Sequence[RightPair]) -> list[tuple[str, MaskScore]]:
    return [(pair.result.image.action, pair.mask) for pair in pairs if pair.mask is not None]
