"""Refining the labels of a data set, and what is said about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.files import replace_file, replace_json
from affordance_grounding_core.labelling.store import encode_mask
from affordance_grounding_core.methods.plsp.refinement.inference import LabelRefiner, RefinedLabel
from affordance_grounding_core.methods.plsp.refinement.samples import RefinementSample

REFINED_FOLDER = "PL_refined"
REPORT_FILE = "refinement.json"


@dataclass(frozen=True)
class RefinementReport:
    """Outcome of a refinement.

    Attributes:
        folder: of the labels.
        outcomes: by "ACTION/OBJECT/IMAGE"; without their masks.
        proposals: what segments came from.
    """

    folder: Path
    outcomes: Mapping[str, RefinedLabel]
    proposals: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for `json.dump`."""
        refined = [label.overlap for label in self.outcomes.values() if not label.reason]
        return {
            "folder": str(self.folder),
            "proposals": self.proposals,
            "refined": len(refined),
            "kept": len(self.outcomes) - len(refined),
            "mean_overlap_with_first_label": round(float(np.mean(refined)), 4) if refined else None,
            "images": {
                name: {"reason": label.reason, "overlap": round(label.overlap, 4)}
                for name, label in self.outcomes.items()
            },
        }

    def as_text(self) -> str:
        """Return lines for the console."""
        content = self.as_dict()
        reasons = Counter(label.reason for label in self.outcomes.values() if label.reason)
        lines = [f"{content['refined']} labels refined, {content['kept']} kept as they were"]
        lines += [f"  {count} kept: {reason}" for reason, count in reasons.most_common()]
        if content["refined"]:
            overlap = content["mean_overlap_with_first_label"]
            lines.append(f"mean overlap (IoU) of refined with first labels: {overlap}")
        lines.append(f"refined labels in {self.folder / REFINED_FOLDER}")
        return "\n".join(lines)


def claim_refined(folder: Path, *, overwrite: bool) -> None:
    """Check that refined labels of another hand are not replaced.

    Raises:
        DatasetError: there are refined labels without a report of this command.
    """
    refined = folder / REFINED_FOLDER
    foreign = next(refined.rglob("*.png"), None) if refined.is_dir() else None
    if foreign is not None and not (folder / REPORT_FILE).is_file() and not overwrite:
        raise DatasetError(
            f"label folder {str(folder)!r} holds refined labels that were not made by this "
            f"command, for example {foreign.relative_to(folder)}; move them, or replace them "
            "with --overwrite"
        )


def refine_labels(
    samples: Sequence[RefinementSample],
    refiner: LabelRefiner,
    folder: Path,
    proposals: str,
    *,
    show_progress: bool = False,
) -> RefinementReport:
    """Refine labels and write those that change.

    A refined label goes to `PL_refined/ACTION/OBJECT/NAME_pl.png`, where training looks before
    `PL`. Where nothing results, no file is written and the first label stays in force; a
    refined one of an earlier run is removed.

    Args:
        samples: to refine.
        refiner: does it.
        folder: of the labels.
        proposals: what segments came from, for the report.
        show_progress: whether to draw a progress bar, where stderr is a terminal.

    Raises:
        InvalidImageError: a picture or mask cannot be read.
        DatasetError: a mask has another size than its picture.
        OSError: a file cannot be written.
    """
    outcomes: dict[str, RefinedLabel] = {}
    report = RefinementReport(folder, outcomes, proposals)
    replace_json(folder / REPORT_FILE, report.as_dict())  # claims the folder
    for sample in tqdm(samples, desc="refining", disable=None if show_progress else True):
        name = f"{sample.action}/{sample.object_name}/{sample.image.stem}_pl.png"
        label = refiner.refine(sample)
        path = folder / REFINED_FOLDER / name
        if label.mask is None:
            path.unlink(missing_ok=True)
        else:
            replace_file(path, encode_mask(label.mask))
        title = f"{sample.action}/{sample.object_name}/{sample.image.name}"
        outcomes[title] = replace(label, mask=None)
    replace_json(folder / REPORT_FILE, report.as_dict())
    return report
