"""`affordance-grounding import`: checkpoints of the papers' authors in our format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from affordance_grounding_core.commands.common import SplitOption
from affordance_grounding_core.commands.outputs import output_folder
from affordance_grounding_core.errors import CheckpointError

if TYPE_CHECKING:
    from affordance_grounding_core.training.heat_fitting import CalibrationSet

CalibrationName = Literal["raw", "binarised", "off"]

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The published checkpoint.")]
FolderArgument = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        help="Checkpoint folder to write; made if needed.",
        callback=output_folder,
    ),
]
ActionsOption = Annotated[
    str | None,
    typer.Option(
        help="Class list it was trained with, in order, separated by commas; by default the "
        "published list of that many classes."
    ),
]
CalibrateOption = Annotated[
    Path | None,
    typer.Option(
        "--calibrate-on",
        metavar="ROOT",
        help="Data in AGD20K layout to fit heat on, so that heat also says whether an action is "
        "afforded.",
    ),
]
ImagesOption = Annotated[
    int,
    typer.Option(
        "--calibration-images", min=1, help="Largest number of images that heat is fitted on."
    ),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace an existing checkpoint.")
]

import_checkpoint = typer.Typer(
    no_args_is_help=True, help="Convert published checkpoints; nothing in them is executed."
)


@import_checkpoint.command("selective-cl")
def selective_cl(
    file: FileArgument,
    folder: FolderArgument,
    actions: ActionsOption = None,
    calibration: Annotated[
        CalibrationName,
        typer.Option(
            help="Use of the affinity: as in the released code, as in the paper, or none."
        ),
    ] = "raw",
    calibrate_on: CalibrateOption = None,
    split: SplitOption = None,
    calibration_images: ImagesOption = 256,
    overwrite: OverwriteOption = False,
) -> None:
    """Import a SelectiveCL checkpoint: DINO, CLIP and head, 492 tensors."""
    from affordance_grounding_core.methods.selective_cl.official import import_selective_cl

    require_free(folder, overwrite)
    images = calibration_set(calibrate_on, split, calibration_images)
    names = split_names(actions)
    for line in import_selective_cl(
        file, folder, actions=names, calibration=calibration, images=images
    ):
        typer.echo(line)


@import_checkpoint.command("locate")
def locate(
    file: FileArgument,
    folder: FolderArgument,
    actions: ActionsOption = None,
    calibrate_on: CalibrateOption = None,
    split: SplitOption = None,
    calibration_images: ImagesOption = 256,
    overwrite: OverwriteOption = False,
) -> None:
    """Import a LOCATE checkpoint: DINO and head, 186 tensors."""
    from affordance_grounding_core.methods.selective_cl.official import import_locate

    require_free(folder, overwrite)
    images = calibration_set(calibrate_on, split, calibration_images)
    for line in import_locate(file, folder, actions=split_names(actions), images=images):
        typer.echo(line)


@import_checkpoint.command("plsp")
def plsp(
    file: FileArgument,
    folder: FolderArgument,
    actions: ActionsOption = None,
    clip_weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Weights of CLIP ViT-B/16; the cached or published ones if left out.",
        ),
    ] = None,
    verb_vectors: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The authors' vectors of verbs, in place of CLIP's text encoder."
        ),
    ] = None,
    calibrate_on: CalibrateOption = None,
    split: SplitOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Import a WSAG-PLSP checkpoint: encoder, network and its random positions, 351 tensors."""
    from affordance_grounding_core.data.splits import normalize_split
    from affordance_grounding_core.methods.plsp.official import import_plsp

    require_free(folder, overwrite)
    for line in import_plsp(
        file,
        folder,
        actions=split_names(actions),
        clip_weights=clip_weights,
        verb_vectors=verb_vectors,
        calibrate_on=calibrate_on,
        split=normalize_split(split),
    ):
        typer.echo(line)


def require_free(folder: Path, overwrite: bool) -> None:
    """Refuse to write over a checkpoint unless it is asked for.

    Raises:
        CheckpointError: there is one.
    """
    from affordance_grounding_core.checkpoints.format import CONFIG_FILE

    if (folder / CONFIG_FILE).exists() and not overwrite:
        raise CheckpointError(
            f"{folder} already holds a checkpoint; name another folder or give --overwrite"
        )


def calibration_set(root: Path | None, split: str | None, limit: int) -> CalibrationSet | None:
    """List the images to fit heat on; None where no data is given.

    Raises:
        DatasetError: there is no data set at that root.
    """
    from affordance_grounding_core.training.heat_fitting import read_calibration_set

    return None if root is None else read_calibration_set(root, split, limit)


def split_names(text: str | None) -> list[str] | None:
    """Split a list on commas; None stays None."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]
