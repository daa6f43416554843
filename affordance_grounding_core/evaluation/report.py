"""An evaluation as JSON and as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from affordance_grounding_core.data.agd20k import EvaluationSet
from affordance_grounding_core.evaluation.evaluate import Evaluation, RightPair, WrongPair
from affordance_grounding_core.evaluation.mask_scores import MaskScore, mask_score
from affordance_grounding_core.evaluation.summary import (
    ImageScore,
    MeanScore,
    group_by,
    mean_by_action,
    mean_by_object,
    mean_score,
)
from affordance_grounding_core.inference.grounder import Grounder


@dataclass(frozen=True)
class EvaluationReport:
    """Everything that is said about an evaluation.

    Attributes:
        protocol: name of the protocol; numbers of another one are not comparable.
        data: name of the data's root folder.
        split: "Seen", "Unseen" or None where the data has no splits.
        model: name or folder the model was loaded by.
        method: training method of the model.
        fingerprint: sha256 of the checkpoint, weights and config, hexadecimal.
        runtime: runtime, device and precision.
        threshold: heat at or above which something counts as found.
        evaluation: the pairs.
        misplaced: image files of the data set that do not lie in an ACTION/OBJECT folder.
        baselines: scores of guesses that do not look at the image, by name.
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
            "overall": asdict(mean_score(scores)),
            "per_action": _plain(mean_by_action(scores)),
            "per_object": _plain(mean_by_object(scores)),
            "detection": {
                "threshold": self.threshold,
                "right": _right_shares(evaluation.right),
                "wrong": _wrong_shares(evaluation.wrong),
            },
            "masks": _plain_masks(evaluation.right),
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
                self._comparison(),
                self._notes(),
            )
            if part
        )

    def _heading(self) -> str:
        split = f" {self.split}" if self.split else ""
        return (
            f"{self.model} ({self.method}, {self.fingerprint[:12]}, {self.runtime}) on "
            f"{self.data}{split}, protocol {self.protocol}\n"
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
        """Masks against the parts themselves, where the data has them."""
        found = _mask_scores(self.evaluation.right)
        if not found:
            return ""
        head = ["masks against parts", "n", "gIoU", "cIoU", "above .5"]
        rows = [
            [name, str(s.n), f"{s.giou:.3f}", f"{s.ciou:.3f}", f"{100 * s.p50:.1f} %"]
            for name, s in found.items()
        ]
        return format_table(head, rows)

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
        }
        lines = [f"skipped: {count} {what}" for what, count in counts.items() if count]
        return "\n".join([*lines, *(f"  {message}" for message in evaluation.unreadable)])


def make_report(
    grounder: Grounder,
    dataset: EvaluationSet,
    protocol: str,
    evaluation: Evaluation,
    baselines: Mapping[str, Sequence[ImageScore]],
) -> EvaluationReport:
    """Put an evaluation together with what was evaluated, how and on what."""
    root = dataset.folder.resolve().parent
    return EvaluationReport(
        protocol=protocol,
        data=root.parent.name if dataset.split == root.name else root.name,
        split=dataset.split,
        model=grounder.information.name,
        method=grounder.information.method,
        fingerprint=grounder.information.fingerprint,
        runtime=grounder.runtime,
        threshold=grounder.regions.threshold,
        evaluation=evaluation,
        misplaced=len(dataset.misplaced),
        baselines=baselines,
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
    shares = (_found_share(right), _peak_share(right), _found_share(wrong))
    return ["-" if share is None else f"{100 * share:.1f} %" for share in shares]


def _mask_scores(pairs: Sequence[RightPair]) -> dict[str, MaskScore]:
    """Scores of the masks by action, and "overall" last; empty where there are no parts."""
    judged = [pair for pair in pairs if pair.overlap is not None]
    groups = group_by(judged, lambda pair: pair.result.image.action) | {"overall": judged}
    scores = {
        name: mask_score([pair.overlap for pair in group if pair.overlap is not None])
        for name, group in groups.items()
    }
    return {name: score for name, score in scores.items() if score is not None}


def _plain_masks(pairs: Sequence[RightPair]) -> dict[str, Any]:
    return {name: asdict(score) for name, score in _mask_scores(pairs).items()}


def _found_share(pairs: Sequence[RightPair] | Sequence[WrongPair]) -> float | None:
    return sum(pair.found for pair in pairs) / len(pairs) if pairs else None


def _peak_share(pairs: Sequence[RightPair]) -> float | None:
    judged = [pair.peak_on_part for pair in pairs if pair.peak_on_part is not None]
    return sum(judged) / len(judged) if judged else None


def _right_shares(pairs: Sequence[RightPair]) -> dict[str, Any]:
    def shares(group: Sequence[RightPair]) -> dict[str, Any]:
        return {
            "pairs": len(group),
            "found": _found_share(group),
            "peak_on_part": _peak_share(group),
        }

    groups = group_by(pairs, lambda pair: pair.result.image.action)
    per_action = {action: shares(group) for action, group in groups.items()}
    return {**shares(pairs), "per_action": per_action}


def _wrong_shares(pairs: Sequence[WrongPair]) -> dict[str, Any]:
    def shares(group: Sequence[WrongPair]) -> dict[str, Any]:
        return {"pairs": len(group), "found": _found_share(group)}

    by_action = group_by(pairs, lambda pair: pair.action)
    by_object = group_by(pairs, lambda pair: pair.object_name)
    return {
        **shares(pairs),
        "per_action": {name: shares(group) for name, group in by_action.items()},
        "per_object": {name: shares(group) for name, group in by_object.items()},
    }
