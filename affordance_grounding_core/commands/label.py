"""`affordance-grounding label`: part labels for a training set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from affordance_grounding_core.commands.common import JsonOption, SplitOption, write_json
from affordance_grounding_core.commands.outputs import output_folder
from affordance_grounding_core.data.agd20k import read_training_set
from affordance_grounding_core.errors import RuntimeUnavailableError
from affordance_grounding_core.labelling.part_names import load_part_names

if TYPE_CHECKING:
    from affordance_grounding_core.labelling.describers import ImageDescriber
    from affordance_grounding_core.labelling.segmenters.base import PartSegmenter

SegmenterName = Literal["sam3", "grounding-dino+sam2"]
SimilarityName = Literal["clip", "dinov2", "none"]

DataOption = Annotated[
    Path,
    typer.Option(metavar="ROOT", help="Folder in AGD20K layout: above trainset, or trainset."),
]
OutOption = Annotated[
    Path,
    typer.Option(
        metavar="DIR",
        help="Label folder; ROOT/trainset puts masks where training looks.",
        callback=output_folder,
    ),
]
SegmenterOption = Annotated[
    SegmenterName,
    typer.Option(help="Model that finds and outlines the parts."),
]
StyleOption = Annotated[
    Literal["agd20k", "robot"],
    typer.Option(help="Conventions for parts: AGD20K's, or a robot's (hit: hammer head)."),
]
PartNamesOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Your own YAML table of ACTION: {OBJECT: phrase}."),
]
PartOption = Annotated[
    list[str] | None,
    typer.Option(help='A part name, "open/jar=jar lid"; may be given several times.'),
]
SimilarityOption = Annotated[
    SimilarityName,
    typer.Option(help="Features by which ten exocentric partners are chosen for each image."),
]
SimilarityWeightsOption = Annotated[
    Path | None, typer.Option(help="Local file of the weights that --similarity needs.")
]
ScoreOption = Annotated[
    float,
    typer.Option(
        help="Detections of this score or more count; if there is none, the best one does."
    ),
]
MinimumScoreOption = Annotated[
    float, typer.Option(help="A best detection below this score counts as 'nothing found'.")
]
BatchOption = Annotated[int, typer.Option(min=1, help="Images segmented at once.")]
WorkersOption = Annotated[int, typer.Option(min=0, help="Processes that read images.")]
DevicesOption = Annotated[str, typer.Option(help="Number of GPUs, or 'auto' for all of them.")]
AcceleratorOption = Annotated[str, typer.Option(help="'auto', 'gpu' or 'cpu'.")]
PrecisionOption = Annotated[
    str, typer.Option(help="'32-true', or 'bf16-mixed' on GPUs that support it.")
]
ModelFolderOption = Annotated[
    Path | None,
    typer.Option(help="Folder with the models as OWNER/REPOSITORY, instead of the hub."),
]
RevisionOption = Annotated[
    list[str] | None,
    typer.Option(help="Another commit than the pinned one: OWNER/REPOSITORY=COMMIT."),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace masks that were not made by this command.")
]


def label(
    data: DataOption,
    out: OutOption,
    segmenter: SegmenterOption = "sam3",
    split: SplitOption = None,
    style: StyleOption = "agd20k",
    part_names: PartNamesOption = None,
    part: PartOption = None,
    similarity: SimilarityOption = "clip",
    score: ScoreOption = 0.5,
    minimum_score: MinimumScoreOption = 0.05,
    batch_size: BatchOption = 8,
    workers: WorkersOption = 2,
    devices: DevicesOption = "auto",
    accelerator: AcceleratorOption = "auto",
    precision: PrecisionOption = "32-true",
    model_folder: ModelFolderOption = None,
    revision: RevisionOption = None,
    similarity_weights: SimilarityWeightsOption = None,
    overwrite: OverwriteOption = False,
    json_file: JsonOption = None,
) -> None:
    """Make part masks, object boxes and exocentric partners for a training set.

    A run that was stopped goes on where it was. The exit code is 1 if an image could not be
    labelled; images in which nothing was found are named and do not count as failures.
    """
    training = read_training_set(data, split)
    pairs = {(item.action, item.object_name) for item in training.egocentric}
    names = load_part_names(style, part_names, part or [], {action for action, _ in pairs})
    names.require(pairs)  # before gigabytes of weights are loaded
    loaded = _load_segmenter(segmenter, (score, minimum_score), model_folder, revision or [])
    describer = _load_describer(similarity, similarity_weights, accelerator)
    from affordance_grounding_core.labelling.run import LabelRunConfig, label_training_set

    config = LabelRunConfig(
        batch_size=batch_size,
        workers=workers,
        devices=int(devices) if devices.isdigit() else devices,
        accelerator=accelerator,
        precision=precision,
        overwrite=overwrite,
    )
    report = label_training_set(training, out, loaded, names, describer, config)
    if report is None:  # this process only helped with one of the devices
        return
    typer.echo(report.as_text())
    write_json(json_file, report.as_dict())
    if report.failed:
        raise typer.Exit(1)


def _load_segmenter(
    name: SegmenterName, scores: tuple[float, float], folder: Path | None, revisions: list[str]
) -> PartSegmenter:
    """Load the segmenter; PyTorch is imported here and not before, so that --help is quick."""
    try:
        from affordance_grounding_core.labelling.run import label_training_set  # noqa: F401
        from affordance_grounding_core.labelling.segmenters.base import SelectionRule
        from affordance_grounding_core.labelling.segmenters.factory import load_segmenter
        from affordance_grounding_core.labelling.segmenters.models import (
            ModelSource,
            parse_revisions,
        )
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"labelling needs the extras 'label' and 'train' ({error}); install them with "
            "`pip install 'affordance-grounding-core[label,train]'`"
        ) from error
    try:
        rule = SelectionRule(*scores)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return load_segmenter(name, ModelSource(folder, parse_revisions(revisions)), rule)


def _load_describer(
    name: SimilarityName, weights: Path | None, accelerator: str
) -> ImageDescriber | None:
    from affordance_grounding_core.labelling.describers import load_describer

    return None if name == "none" else load_describer(name, weights, best_device(accelerator))


def best_device(accelerator: str) -> str:
    """Choose the device of the small models beside the segmenter."""
    import torch

    return "cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu"
