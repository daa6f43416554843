"""`affordance-grounding evaluate`: a model against a test set, beside simple guesses."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from affordance_grounding_core.commands.common import (
    InputSizeOption,
    JsonOption,
    ModelOption,
    RuntimeOption,
    SplitOption,
    TaughtOption,
    WeightsOption,
    load_model,
    write_json,
)
from affordance_grounding_core.data.agd20k import (
    EvaluationSet,
    TrainingSet,
    affordances_of_objects,
    read_evaluation_set,
    read_training_set,
    select_objects,
)
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.evaluation.baselines import (
    centre_prior_baseline,
    evaluate_baselines,
    mean_label_baseline,
    uniform_baseline,
)
from affordance_grounding_core.evaluation.evaluate import Evaluation, evaluate_grounder
from affordance_grounding_core.evaluation.protocols import PROTOCOLS, EvaluationProtocol
from affordance_grounding_core.evaluation.report import format_table, make_report
from affordance_grounding_core.evaluation.robustness import (
    ChangeScore,
    evaluate_robustness,
    worst_orientation,
)
from affordance_grounding_core.evaluation.summary import ImageScore
from affordance_grounding_core.inference.grounder import Grounder

ProtocolName = Literal["locate", "plsp"]

PAPER_METHODS = ("plsp", "selective_cl")
"""Methods that have maps of their own beside the heat."""


def evaluate(
    data: Annotated[
        Path,
        typer.Option(metavar="ROOT", help="Folder in AGD20K layout: above testset, or testset."),
    ],
    model: ModelOption = "default",
    protocol: Annotated[
        ProtocolName, typer.Option(help="How maps are compared; never mix numbers of the two.")
    ] = "locate",
    split: SplitOption = None,
    objects: Annotated[
        list[str] | None,
        typer.Option("--object", help="Only images of this object; may be given several times."),
    ] = None,
    runtime: RuntimeOption = "auto",
    input_size: InputSizeOption = None,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Score uniform, centre prior and mean label too.")
    ] = False,
    pictures: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write the best, worst and some random cases."),
    ] = None,
    picture_count: Annotated[
        int, typer.Option(min=1, help="How many of each kind of case are written.")
    ] = 6,
    robustness: Annotated[
        bool,
        typer.Option(
            "--robustness",
            help="Also score turned, mirrored, compressed, blurred, dark and grey pictures.",
        ),
    ] = False,
    robustness_count: Annotated[
        int, typer.Option(min=1, help="Of how many pictures, evenly chosen; each is seen 12 times.")
    ] = 120,
    json_file: JsonOption = None,
    backbone_weights: WeightsOption = None,
    taught: TaughtOption = "none",
) -> None:
    """Score a model on a test set: KLD, SIM, NSS, and whether it knows what is not afforded."""
    dataset = read_evaluation_set(data, split)
    training = training_set_beside(dataset)
    affordances = affordances_of_objects(
        [*dataset.images, *training.egocentric, *training.exocentric]
        if training
        else dataset.images
    )
    dataset = select_objects(dataset, objects or [])
    chosen = PROTOCOLS[protocol]
    grounder = load_model(model, runtime, backbone_weights, taught, input_size)
    evaluation = evaluate_grounder(grounder, dataset, chosen, affordances, show_progress=True)
    guesses = score_baselines(evaluation, training, chosen) if baselines else {}
    report = make_report(grounder, dataset, protocol, evaluation, guesses)
    typer.echo(report.as_text())
    if not evaluation.raw_maps and grounder.information.method in PAPER_METHODS:
        typer.echo(
            f"The maps that the paper scores are left out of the graph of {grounder.runtime}; add "
            "`--runtime eager` to score them, too.",
            err=True,
        )
    changed = evaluate_changes(grounder, dataset, chosen, robustness_count) if robustness else []
    write_json(json_file, report.as_dict() | {"robustness": [asdict(score) for score in changed]})
    if pictures is not None:
        from affordance_grounding_core.evaluation.pictures import write_pictures

        written = write_pictures(grounder, evaluation, pictures, picture_count)
        typer.echo(f"{len(written)} pictures in {pictures}")


def evaluate_changes(
    grounder: Grounder, dataset: EvaluationSet, protocol: EvaluationProtocol, count: int
) -> list[ChangeScore]:
    """Score changed pictures and print the table."""
    known = [image for image in dataset.annotated if image.action in grounder.actions]
    scores = evaluate_robustness(
        grounder, known[:: max(1, len(known) // count)][:count], protocol, show_progress=True
    )
    rows = [
        [s.name, f"{s.kld:.3f}", f"{100 * s.peak_shift:.1f} %", f"{100 * s.found:.1f} %"]
        for s in scores
    ]
    typer.echo("\n" + format_table(["changed picture", "KLD", "peak shift", "found"], rows))
    typer.echo(f"worst of eight orientations / plain: {worst_orientation(scores):.2f}")
    return scores


def training_set_beside(dataset: EvaluationSet) -> TrainingSet | None:
    """Read the training set that lies beside a test set, if there is one."""
    folder = dataset.folder.resolve().parent / "trainset"
    return read_training_set(folder) if folder.is_dir() else None


def score_baselines(
    evaluation: Evaluation, training: TrainingSet | None, protocol: EvaluationProtocol
) -> dict[str, list[ImageScore]]:
    """Score the guesses on the images the model was scored on; says which cannot be made."""
    images = [score.image for score in evaluation.scores]
    actions = {image.action for image in images}
    guesses = [uniform_baseline(actions), centre_prior_baseline(actions, protocol)]
    try:
        if training is None:
            raise DatasetError("there is no trainset beside the test set")
        guesses.append(mean_label_baseline(training, protocol, show_progress=True))
    except DatasetError as error:
        typer.echo(f"no mean-of-train baseline: {error}", err=True)
    return evaluate_baselines(guesses, images, protocol)
