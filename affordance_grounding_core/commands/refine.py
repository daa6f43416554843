"""`affordance-grounding refine`: better part labels where the first ones are ambiguous."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from affordance_grounding_core.commands.common import JsonOption, SplitOption, write_json
from affordance_grounding_core.data.agd20k import read_training_set
from affordance_grounding_core.errors import RuntimeUnavailableError


def refine(
    data: Annotated[
        Path,
        typer.Option(metavar="ROOT", help="Folder in AGD20K layout: above trainset, or trainset."),
    ],
    labels: Annotated[
        Path, typer.Option(metavar="DIR", help="Label folder that `label` has made.")
    ],
    split: SplitOption = None,
    pair: Annotated[
        list[str] | None,
        typer.Option(help="ACTION/OBJECT to refine, or 'all'; the published list where none."),
    ] = None,
    features: Annotated[
        Literal["clip", "dinov2"], typer.Option(help="What compares objects.")
    ] = "clip",
    features_weights: Annotated[
        Path | None, typer.Option(help="Local file of the weights that --features needs.")
    ] = None,
    proposals: Annotated[
        Literal["sam", "features"],
        typer.Option(help="What labels snap to: SAM's masks, or clusters of the features."),
    ] = "sam",
    model: Annotated[
        Path | None,
        typer.Option(help="Trained masks to use, DIR/refinement of an earlier run; else train."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 20,
    batch_size: Annotated[int, typer.Option(min=1)] = 1,
    accumulate: Annotated[int, typer.Option(min=1, help="Batches in a step.")] = 20,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read images.")] = 2,
    devices: Annotated[str, typer.Option(help="How many GPUs, or 'auto'.")] = "auto",
    accelerator: Annotated[str, typer.Option(help="'auto', 'gpu' or 'cpu'.")] = "auto",
    resume: Annotated[
        str | None, typer.Option(help="'last', or a .ckpt file, to go on from.")
    ] = None,
    model_folder: Annotated[
        Path | None, typer.Option(help="Folder with SAM as OWNER/REPOSITORY, instead of the hub.")
    ] = None,
    revision: Annotated[
        list[str] | None,
        typer.Option(help="Another commit than the pinned one: OWNER/REPOSITORY=COMMIT."),
    ] = None,
    published_quirks: Annotated[
        bool,
        typer.Option("--published-quirks", help="Snap as the released code does, to match it."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace refined labels of another hand.")
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Learn what a user's hand hides, and snap part labels to it (WSAG-PLSP, section 3.3).

    Refined labels go into DIR/PL_refined, which training prefers; where nothing results, the
    first label stays in force.
    """
    training = read_training_set(data, split)
    try:
        from affordance_grounding_core.commands.label import best_device
        from affordance_grounding_core.labelling.manifest import read_manifest
        from affordance_grounding_core.labelling.segmenters.models import (
            ModelSource,
            parse_revisions,
        )
        from affordance_grounding_core.methods.plsp.refinement import run
        from affordance_grounding_core.methods.plsp.refinement import training as masks
        from affordance_grounding_core.methods.plsp.refinement.config import (
            RefinementConfig,
            SnapConfig,
        )
        from affordance_grounding_core.methods.plsp.refinement.encoders import (
            FrozenPatches,
            load_encoders,
        )
        from affordance_grounding_core.methods.plsp.refinement.inference import LabelRefiner
        from affordance_grounding_core.methods.plsp.refinement.pairs import choose_pairs
        from affordance_grounding_core.methods.plsp.refinement.pictures import PictureFormat
        from affordance_grounding_core.methods.plsp.refinement.proposals import load_proposals
        from affordance_grounding_core.methods.plsp.refinement.samples import read_samples
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"refinement needs the extras 'label' and 'train' ({error}); install them with "
            "`pip install 'affordance-grounding-core[label,train]'`"
        ) from error
    source = ModelSource(model_folder, parse_revisions(revision or []))
    manifest = read_manifest(labels)
    run.claim_refined(labels, overwrite=overwrite)
    present = {(item.action, item.object_name) for item in training.egocentric}
    trained = [] if model is None else masks.trained_pairs(model)
    given = pair or ["/".join(known) for known in trained]
    chosen = choose_pairs(present, training.split, given)
    pairs = trained or sorted(chosen)
    masks.require_pairs(chosen, pairs, model)
    samples = read_samples(manifest, training.folder, labels, chosen)
    encoders = load_encoders(features, pairs, features_weights)
    picture_format = PictureFormat(encoders.mean, encoders.std, encoders.size)
    device = best_device(accelerator)
    segments = load_proposals(
        proposals,
        source,
        FrozenPatches(encoders.frozen),
        PictureFormat(encoders.mean, encoders.std, 2 * encoders.size),
        encoders.name,
        device,
    )
    if model is None:
        model = labels / masks.MODEL_FOLDER
        fit = masks.FitConfig(
            epochs=epochs,
            batch_size=batch_size,
            accumulate=accumulate,
            workers=workers,
            seed=seed,
            devices=int(devices) if devices.isdigit() else devices,
            accelerator=accelerator,
            resume=resume,
        )
        config = RefinementConfig()
        if masks.fit_masks(samples, encoders, pairs, model, config, fit) is None:
            return  # this process only helped with one of the devices
    network = masks.load_masks(model, encoders, pairs).to(device)
    snapping = SnapConfig(published_quirks=published_quirks)
    numbers = {name: number for number, name in enumerate(pairs)}
    refiner = LabelRefiner(network, numbers, picture_format, segments, snapping)
    report = run.refine_labels(samples, refiner, labels, segments.identity, show_progress=True)
    typer.echo(report.as_text())
    write_json(json_file, report.as_dict())
