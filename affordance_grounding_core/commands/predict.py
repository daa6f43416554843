"""`affordance-grounding predict`: images and actions to heatmaps, masks and overlays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import typer
from numpy.typing import NDArray
from tqdm import tqdm

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_core.commands.common import (
    ImageTurnOption,
    InputSizeOption,
    JsonOption,
    LooksOption,
    ModelOption,
    RuntimeOption,
    TaughtOption,
    WeightsOption,
    load_model,
    write_json,
)
from affordance_grounding_core.commands.outputs import output_folder
from affordance_grounding_core.errors import InvalidImageError
from affordance_grounding_core.images import is_image_file, read_rgb, write_png

if TYPE_CHECKING:
    from affordance_grounding_core.inference.grounder import Grounder
    from affordance_grounding_core.inference.result import GroundingResult


HeatmapFormat = Literal["png", "npy"]


@dataclass(frozen=True)
class Prediction:
    """Answer for one image and one action, with the paths of its pictures.

    Attributes:
        image: file that was read.
        result: the answer.
        overlay: picture for people.
        heatmap: heat of every pixel: 16-bit PNG where 65535 is heat 1, or float32 .npy.
        mask: PNG, 255 where the action is afforded.
    """

    image: Path
    result: GroundingResult
    overlay: Path
    heatmap: Path
    mask: Path

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for `json.dump`."""
        result = self.result
        return {
            "image": str(self.image),
            "action": result.action,
            "found": result.found,
            "score": result.score,
            "threshold": result.threshold,
            "height": result.heatmap.shape[0],
            "width": result.heatmap.shape[1],
            "regions": [region.as_dict() for region in result.regions],
            "seconds": result.seconds,
            "overlay": str(self.overlay),
            "heatmap": str(self.heatmap),
            "mask": str(self.mask),
        }


ImagesArgument = Annotated[
    list[Path], typer.Argument(metavar="IMAGE", help="Image files, or folders of them.")
]
ActionsOption = Annotated[
    list[str],
    typer.Option(
        "--action",
        "-a",
        help="Action, as a word or a phrase ('take a sip'); may be given several times.",
    ),
]
OutputOption = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="FOLDER",
        help="Folder for the pictures.",
        callback=output_folder,
    ),
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(help="Heat in (0, 1] from which a place counts as found; default: the model's."),
]
HeatmapOption = Annotated[
    HeatmapFormat, typer.Option(help="16-bit PNG (65535 is heat 1) or float32 NumPy array.")
]


def predict(
    images: ImagesArgument,
    action: ActionsOption,
    output: OutputOption = Path("predictions"),
    model: ModelOption = "default",
    runtime: RuntimeOption = "auto",
    input_size: InputSizeOption = None,
    looks: LooksOption = "1",
    image_turn: ImageTurnOption = "0",
    threshold: ThresholdOption = None,
    heatmap: HeatmapOption = "png",
    json_file: JsonOption = None,
    backbone_weights: WeightsOption = None,
    taught: TaughtOption = "auto",
) -> None:
    """Find where actions happen in images.

    Writes an overlay, a heatmap and a mask, NAME_ACTION_overlay.png and so on, for every image
    and action.

    Images that cannot be read are named and skipped; the exit code is then 1.
    """
    if threshold is not None and not 0.0 < threshold <= 1.0:
        raise typer.BadParameter(f"threshold must lie in (0, 1], got {threshold}")
    files = expand_folders(images)
    grounder = load_model(model, runtime, backbone_weights, taught, input_size, looks, image_turn)
    resolutions = [grounder.resolve(text) for text in action]
    for resolution in resolutions:
        if resolution.found != "exact":
            typer.echo(f"{abbreviate(resolution.text)} means {resolution.summary}", err=True)
    actions = list(dict.fromkeys(resolution.action for resolution in resolutions))
    entries, unreadable = predict_files(grounder, files, actions, threshold, output, heatmap)
    report = {
        **asdict(grounder.information),
        "runtime": grounder.runtime,
        "looks": looks,
        "image_turn": grounder.image_turn,
        "resolutions": [resolution.as_dict() for resolution in resolutions],
        "results": entries,
        "unreadable": unreadable,
    }
    write_json(json_file, report)
    if unreadable:
        typer.echo(f"{len(unreadable)} of {len(files)} images could not be read", err=True)
        raise typer.Exit(1)


def predict_files(
    grounder: Grounder,
    files: Sequence[Path],
    actions: Sequence[str],
    threshold: float | None,
    output: Path,
    heatmap: HeatmapFormat,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Ground actions in image files, write the pictures and print what was found.

    Args:
        grounder: model that answers.
        files: images.
        actions: names of its vocabulary.
        threshold: heat from which a pixel can be found, in (0, 1]; the model's where None.
        output: folder of the pictures.
        heatmap: format of the heatmaps.

    Returns:
        One mapping of words and numbers an answer (the maps of a folder of photographs do not fit
        into memory), and why files could not be read.
    """
    entries: list[dict[str, Any]] = []
    lines: list[str] = []
    unreadable: list[str] = []
    names = unique_names(files)
    for file in tqdm(files, desc="predict", unit="image", disable=None):
        try:
            image = read_rgb(file)
        except InvalidImageError as error:
            unreadable.append(str(error))
            continue
        for result in grounder.ground_several(image, actions, threshold=threshold):
            stem = f"{names[file]}_{result.action}"
            prediction = save(output, stem, file, image, result, heatmap)
            entries.append(prediction.as_dict())
            lines.append(describe(prediction))
    for line in lines:
        typer.echo(line)
    for message in unreadable:
        typer.echo(f"skipped: {message}", err=True)
    return entries, unreadable


def expand_folders(paths: Iterable[Path]) -> list[Path]:
    """Replace folders by their image files, sorted; each file is kept once.

    Raises:
        InvalidImageError: a folder without image files.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        inside = sorted(file for file in path.iterdir() if is_image_file(file) and file.is_file())
        if not inside:
            raise InvalidImageError(
                f"folder {str(path)!r} holds no image files; give image files or a folder that "
                "directly holds some"
            )
        files += inside
    return list(dict.fromkeys(files))


def unique_names(files: Iterable[Path]) -> dict[Path, str]:
    """Name the output of every file after its stem, numbered where two have the same."""
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for file in files:
        name, number = file.stem, 1
        while name in taken:
            number += 1
            name = f"{file.stem}_{number}"
        taken.add(name)
        names[file] = name
    return names


def save(
    folder: Path,
    stem: str,
    file: Path,
    image: NDArray[np.uint8],
    result: GroundingResult,
    heatmap_format: HeatmapFormat,
) -> Prediction:
    """Write overlay, heatmap and mask of one answer."""
    from affordance_grounding_core.inference.overlay import draw_overlay

    prediction = Prediction(
        file,
        result,
        folder / f"{stem}_overlay.png",
        folder / f"{stem}_heatmap.{heatmap_format}",
        folder / f"{stem}_mask.png",
    )
    write_png(prediction.overlay, draw_overlay(image, result))
    write_png(prediction.mask, result.mask.astype(np.uint8) * 255)
    if heatmap_format == "png":
        write_png(prediction.heatmap, np.rint(result.heatmap * 65535).astype(np.uint16))
    else:
        np.save(prediction.heatmap, result.heatmap, allow_pickle=False)
    return prediction


def describe(prediction: Prediction) -> str:
    """One answer as a line for the console."""
    result = prediction.result
    answer = f"found, {len(result.regions)} region(s)" if result.found else "not found"
    return (
        f"{prediction.image}  {result.action}: {answer}, score {result.score:.2f}, "
        f"{1000 * result.seconds:.0f} ms -> {prediction.overlay}"
    )
