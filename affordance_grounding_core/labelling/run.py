"""Labels a training set: segments its images and writes masks, manifest and sheets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning import Trainer
from tqdm import tqdm

from affordance_grounding_core.data.agd20k import TrainingSet
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.labelling.contact_sheet import write_sheets
from affordance_grounding_core.labelling.describers import ImageDescriber
from affordance_grounding_core.labelling.labeller import LabelEntry, Labeller
from affordance_grounding_core.labelling.manifest import Manifest
from affordance_grounding_core.labelling.part_names import PartNames
from affordance_grounding_core.labelling.partners import find_partners
from affordance_grounding_core.labelling.records import ImageRecord
from affordance_grounding_core.labelling.segmenters.base import PartSegmenter
from affordance_grounding_core.labelling.store import (
    RECORD_FOLDER,
    LabelStore,
    check_names,
)
from affordance_grounding_core.labelling.task import run_labelling


@dataclass(frozen=True)
class LabelRunConfig:
    """How a run goes about its work; none of it changes the labels.

    Attributes:
        batch_size: images given to the segmenter at once.
        workers: processes that read images.
        devices: how many devices, or "auto" for all.
        accelerator: Lightning's accelerator: "auto", "gpu" or "cpu".
        precision: Lightning's precision: "32-true", or "bf16-mixed" on GPUs that have it.
        overwrite: whether masks that were not made by this command may be replaced.
        show_progress: whether progress bars are drawn.
    """

    batch_size: int = 8
    workers: int = 2
    devices: int | str = "auto"
    accelerator: str = "auto"
    precision: str = "32-true"
    overwrite: bool = False
    show_progress: bool = True

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.workers < 0:
            raise ValueError(
                "batch_size must be at least 1 and workers at least 0, got "
                f"{self.batch_size} and {self.workers}"
            )


@dataclass(frozen=True)
class LabelReport:
    """Outcome of a run.

    Attributes:
        folder: folder of the labels.
        manifest: manifest of all images.
        reused: images whose labels an earlier run had made.
        sheets: contact sheets.
    """

    folder: Path
    manifest: Manifest
    reused: int
    sheets: tuple[Path, ...]

    @property
    def failed(self) -> list[ImageRecord]:
        """Images that could not be labelled."""
        return [record for record in self.manifest.records if record.problem]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for `json.dump`."""
        records = self.manifest.records
        return {
            "folder": str(self.folder),
            "segmenter": dict(self.manifest.segmenter),
            "similarity": self.manifest.similarity,
            "counts": self.manifest.counts(),
            "reused": self.reused,
            "no_part": [r.title for r in records if r.part is not None and not r.part.mask],
            "no_object": [r.title for r in records if r.whole is not None and not r.whole.mask],
            "failed": {record.title: record.problem for record in self.failed},
            "sheets": [str(sheet) for sheet in self.sheets],
        }

    def as_text(self, limit: int = 20) -> str:
        """Return lines for the console, naming at most `limit` images of each kind."""
        content = self.as_dict()
        counts = ", ".join(f"{count} {state}" for state, count in content["counts"].items())
        lines = [f"{counts} ({self.reused} of them from an earlier run)"]
        for kind, title in (("no_part", "no part found"), ("no_object", "no object found")):
            lines += _listed(f"{title}: ", content[kind], limit)
        lines += _listed("failed: ", [f"{k}: {v}" for k, v in content["failed"].items()], limit)
        lines.append(f"labels and manifest in {self.folder}")
        if self.sheets:
            lines.append(f"{len(self.sheets)} contact sheets in {self.sheets[0].parent}")
        return "\n".join(lines)


def label_training_set(
    training: TrainingSet,
    folder: Path,
    segmenter: PartSegmenter,
    names: PartNames,
    describer: ImageDescriber | None = None,
    config: LabelRunConfig = LabelRunConfig(),
) -> LabelReport | None:
    """Label the images of a training set; what an earlier run did is taken up.

    Args:
        training: its images.
        folder: folder of the labels; the `trainset` folder itself puts masks where training looks.
        segmenter: segmenter that finds the parts.
        names: names of the parts.
        describer: describer to choose exocentric partners with; None for no partners.
        config: options of the run.

    Returns:
        The report; None in the processes that Lightning starts for further devices.

    Raises:
        PartNameError: a pair of the data has no part name.
        DatasetError: images whose masks would share a name, or foreign masks in the folder.
        OSError: a file cannot be written.
    """
    entries = entries_of(training)
    names.require({(item.action, item.object_name) for item in training.egocentric})
    check_names([entry.image for entry in entries])
    store = LabelStore(folder)
    store.claim(overwrite=config.overwrite)
    labeller = Labeller(segmenter, names, store)
    bar = tqdm(
        entries, desc="looking", unit="image", disable=None if config.show_progress else True
    )
    pending = [entry for entry in bar if labeller.finished(entry) is None]
    if pending and not _label(labeller, pending, config):
        return None
    records = _collect(store, entries)
    partners = (
        find_partners(
            records,
            describer,
            training.folder,
            folder / RECORD_FOLDER / "partners",
            show_progress=config.show_progress,
        )
        if describer is not None
        else []
    )
    manifest = Manifest(
        dict(segmenter.identity),
        describer.identity if describer is not None else "",
        tuple(records),
        tuple(partners),
    )
    manifest.write(folder)
    sheets = write_sheets(records, training.folder, folder)
    return LabelReport(folder, manifest, len(entries) - len(pending), tuple(sheets))


def _label(labeller: Labeller, pending: Sequence[LabelEntry], config: LabelRunConfig) -> bool:
    """Label images on all devices; returns whether this process is the one that goes on."""
    trainer = Trainer(
        accelerator=config.accelerator,
        devices=config.devices,
        precision=config.precision,  # type: ignore[arg-type]
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=config.show_progress,
    )
    run_labelling(labeller, pending, trainer, batch_size=config.batch_size, workers=config.workers)
    trainer.strategy.barrier("labels")
    return trainer.is_global_zero


def entries_of(training: TrainingSet) -> list[LabelEntry]:
    """List the images of a training set, egocentric ones first."""
    egocentric = [
        LabelEntry("egocentric", item.action, item.object_name, item.image)
        for item in training.egocentric
    ]
    return egocentric + [
        LabelEntry("exocentric", item.action, item.object_name, item.image)
        for item in training.exocentric
    ]


def _collect(store: LabelStore, entries: Sequence[LabelEntry]) -> list[ImageRecord]:
    records = []
    for entry in entries:
        record = store.read(entry.view, entry.action, entry.object_name, entry.image.name)
        if record is None:
            raise DatasetError(
                f"the record of {str(entry.image)!r} is gone from {str(store.folder)!r}; is "
                "another run writing there? Run the command again"
            )
        records.append(record)
    return records


def _listed(title: str, items: Sequence[str], limit: int) -> list[str]:
    lines = [f"{title}{item}" for item in items[:limit]]
    more = len(items) - limit
    return [*lines, f"{title}... and {more} more, see --json"] if more > 0 else lines
