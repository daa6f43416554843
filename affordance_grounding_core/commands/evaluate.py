"""`affordance-grounding evaluate`: scores of a model on a test set, beside simple baselines."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from affordance_grounding_core.commands.common import (
    ImageTurnOption,
    InputSizeOption,
    JsonOption,
    LooksOption,
    ModelOption,
    RuntimeOption,
    SplitOption,
    TaughtOption,
    WeightsOption,
    load_model,
    write_json,
)
from affordance_grounding_core.commands.outputs import output_folder
from affordance_grounding_core.data.agd20k import read_evaluation_set
from affordance_grounding_core.evaluation.datasets import (
    evaluate_test_set,
    score_baselines,
    training_set_beside,
)
from affordance_grounding_core.evaluation.evaluate import Evaluation
from affordance_grounding_core.evaluation.manifest import evaluate_manifest
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.evaluation.report import make_report
from affordance_grounding_core.evaluation.robustness import changes_as_text, evaluate_changes
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.methods.base import METHODS

ProtocolName = Literal["locate", "plsp"]

PAPER_METHODS = tuple(name for name, method in METHODS.items() if method.scores_paper_maps)
"""Methods that have maps of their own beside the heat."""


DataOption = Annotated[
    Path | None,
    typer.Option(metavar="ROOT", help="Folder in AGD20K layout: above testset, or testset."),
]
ManifestOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="List of images, actions or sentences, and masks or heatmaps, instead of --data: "
        ".csv, .tsv or .jsonl, see docs/train/datasets.md.",
    ),
]
ProtocolOption = Annotated[
    ProtocolName,
    typer.Option(help="Protocol of the comparison; numbers of the two must not be mixed."),
]
ObjectsOption = Annotated[
    list[str] | None,
    typer.Option("--object", help="Only images of this object; may be given several times."),
]
BaselinesOption = Annotated[
    bool,
    typer.Option("--baselines", help="Also score uniform heat, a centre prior and the mean label."),
]
PicturesOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder for pictures of the best, the worst and some random cases.",
        callback=output_folder,
    ),
]
PictureCountOption = Annotated[int, typer.Option(min=1, help="Number of pictures of each kind.")]
RobustnessOption = Annotated[
    int,
    typer.Option(
        metavar="COUNT",
        min=0,
        help="Also score COUNT pictures, evenly chosen, in eight orientations, compressed, "
        "blurred, darkened and grey: twelve answers each.",
    ),
]


def evaluate(
    data: DataOption = None,
    manifest: ManifestOption = None,
    model: ModelOption = "default",
    protocol: ProtocolOption = "locate",
    split: SplitOption = None,
    objects: ObjectsOption = None,
    runtime: RuntimeOption = "auto",
    input_size: InputSizeOption = None,
    looks: LooksOption = "1",
    image_turn: ImageTurnOption = "0",
    baselines: BaselinesOption = False,
    pictures: PicturesOption = None,
    picture_count: PictureCountOption = 6,
    robustness: RobustnessOption = 0,
    json_file: JsonOption = None,
    backbone_weights: WeightsOption = None,
    taught: TaughtOption = "none",
) -> None:
    """Score a model: its heat (KLD, SIM, NSS), its masks (IoU) and its decisions (found or not)."""
    if robustness and data is None:
        raise typer.BadParameter("--robustness needs --data: a test set with heatmaps")
    if (data is None) == (manifest is None):
        raise typer.BadParameter("expected --data ROOT or --manifest FILE, one of the two")
    if manifest is not None and (split or objects):
        raise typer.BadParameter("--split and --object choose from --data, not from a --manifest")
    dataset = None if data is None else read_evaluation_set(data, split)
    training = None if dataset is None else training_set_beside(dataset)
    grounder = load_model(model, runtime, backbone_weights, taught, input_size, looks, image_turn)
    chosen = PROTOCOLS[protocol]
    if dataset is not None:
        evaluation = evaluate_test_set(
            grounder, dataset, training, chosen, objects or (), show_progress=True
        )
    else:
        evaluation = evaluate_manifest(grounder, Path(str(manifest)), chosen, show_progress=True)
    guesses, missing = score_baselines(evaluation, training, chosen) if baselines else ({}, "")
    report = make_report(grounder, dataset or Path(str(manifest)), protocol, evaluation, guesses)
    typer.echo(report.as_text())
    _hints(grounder, evaluation, missing)
    content = report.as_dict()
    if robustness and dataset is not None:
        changed = evaluate_changes(grounder, dataset, chosen, robustness, show_progress=True)
        typer.echo("\n" + changes_as_text(changed))
        content["robustness"] = [asdict(score) for score in changed]
    write_json(json_file, content)
    if pictures is not None:
        from affordance_grounding_core.evaluation.pictures import write_pictures

        written = write_pictures(grounder, evaluation, pictures, picture_count)
        typer.echo(f"{len(written)} pictures in {pictures}")


def _hints(grounder: Grounder, evaluation: Evaluation, missing_baseline: str) -> None:
    """Print on stderr what is left out and how to get it."""
    if missing_baseline:
        typer.echo(f"no mean-of-train baseline: {missing_baseline}", err=True)
    if not evaluation.raw_maps and grounder.information.method in PAPER_METHODS:
        typer.echo(
            f"The maps that the paper scores are left out of the graph of {grounder.runtime}; add "
            "`--runtime eager` to score them, too.",
            err=True,
        )
