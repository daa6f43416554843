"""`affordance-grounding refine`: better part labels where the first ones are ambiguous."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from affordance_grounding_core.commands.common import JsonOption, SplitOption, write_json
from affordance_grounding_core.commands.label import (
    AcceleratorOption,
    DataOption,
    RevisionOption,
    WorkersOption,
    best_device,
)
from affordance_grounding_core.data.agd20k import read_training_set
from affordance_grounding_core.errors import RuntimeUnavailableError

LabelsOption = Annotated[
    Path, typer.Option(metavar="DIR", help="Label folder that `label` has made.")
]
PairOption = Annotated[
    list[str] | None,
    typer.Option(help="ACTION/OBJECT to refine, or 'all'; default: the published list."),
]
FeaturesOption = Annotated[
    Literal["clip", "dinov2"], typer.Option(help="Features by which objects are compared.")
]
FeaturesWeightsOption = Annotated[
    Path | None, typer.Option(help="Local file of the weights that --features needs.")
]
ProposalsOption = Annotated[
    Literal["sam", "features"],
    typer.Option(help="Proposals that labels snap to: masks of SAM, or clusters of the features."),
]
MasksOption = Annotated[
    Path | None,
    typer.Option(
        help="DIR/refinement of an earlier run whose trained masks are used; default: train."
    ),
]
CountOption = Annotated[int, typer.Option(min=1)]
AccumulateOption = Annotated[int, typer.Option(min=1, help="Batches of an optimiser step.")]
SeedOption = Annotated[int, typer.Option(help="Seed of all random choices.")]
DevicesOption = Annotated[str, typer.Option(help="Number of GPUs, or 'auto'.")]
ResumeOption = Annotated[
    str | None, typer.Option(help="Checkpoint to continue from: 'last' or a .ckpt file.")
]
SamFolderOption = Annotated[
    Path | None, typer.Option(help="Folder with SAM as OWNER/REPOSITORY, instead of the hub.")
]
QuirksOption = Annotated[
    bool,
    typer.Option("--published-quirks", help="Snap exactly as the released code does."),
]
OverwriteOption = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace refined labels that were not made by this command."),
]


def refine(
    data: DataOption,
    labels: LabelsOption,
    split: SplitOption = None,
    pair: PairOption = None,
    features: FeaturesOption = "clip",
    features_weights: FeaturesWeightsOption = None,
    proposals: ProposalsOption = "sam",
    model: MasksOption = None,
    epochs: CountOption = 20,
    batch_size: CountOption = 1,
    accumulate: AccumulateOption = 20,
    seed: SeedOption = 0,
    workers: WorkersOption = 2,
    devices: DevicesOption = "auto",
    accelerator: AcceleratorOption = "auto",
    resume: ResumeOption = None,
    model_folder: SamFolderOption = None,
    revision: RevisionOption = None,
    published_quirks: QuirksOption = False,
    overwrite: OverwriteOption = False,
    json_file: JsonOption = None,
) -> None:
    """Learn which part a hand covers, and snap part labels to it (WSAG-PLSP, section 3.3).

    Refined labels go into DIR/PL_refined, which training prefers; where nothing results, the
    first label stays in force.
    """
    training = read_training_set(data, split)
    _require_extras()
    from affordance_grounding_core.labelling.segmenters.models import ModelSource, parse_revisions
    from affordance_grounding_core.methods.plsp.refinement import run
    from affordance_grounding_core.methods.plsp.refinement.config import SnapConfig
    from affordance_grounding_core.methods.plsp.refinement.training import FitConfig

    how_many = int(devices) if devices.isdigit() else devices
    fit = FitConfig(epochs, batch_size, accumulate, workers, seed, how_many, accelerator, resume)
    config = run.RefinementRunConfig(
        pairs=tuple(pair or ()),
        features=features,
        features_weights=features_weights,
        proposals=proposals,
        source=ModelSource(model_folder, parse_revisions(revision or [])),
        model=model,
        fit=fit,
        snapping=SnapConfig(published_quirks=published_quirks),
        device=best_device(accelerator),
        overwrite=overwrite,
    )
    report = run.refine_training_set(training, labels, config)
    if report is None:  # this process only helped with one of the devices
        return
    typer.echo(report.as_text())
    write_json(json_file, report.as_dict())


def _require_extras() -> None:
    try:
        import affordance_grounding_core.methods.plsp.refinement.run  # noqa: F401
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"refinement needs the extras 'label' and 'train' ({error}); install them with "
            "`pip install 'affordance-grounding-core[label,train]'`"
        ) from error
