"""What several commands share: their options, loading a model, writing JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from affordance_grounding_core.commands.outputs import output_file
from affordance_grounding_core.errors import TeachingError

if TYPE_CHECKING:
    from affordance_grounding_core.inference.grounder import Grounder

ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        help="Name of a packaged model, or path of a checkpoint folder or of an export folder.",
    ),
]
RuntimeOption = Annotated[
    str,
    typer.Option(
        "--runtime",
        help="auto, eager, compile, onnx, openvino or tensorrt, with a precision if wanted: "
        "openvino-int8. 'auto' takes the fastest that answers as PyTorch does.",
    ),
]
WeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--backbone-weights",
        help="Local file of the frozen backbone, instead of the cached or pinned one.",
    ),
]
TaughtOption = Annotated[
    str,
    typer.Option(
        "--taught",
        metavar="FILE",
        help="File of taught actions; 'auto': your own, where there is one and it fits the model; "
        "'none'.",
    ),
]
InputSizeOption = Annotated[
    int | None,
    typer.Option(
        "--input-size",
        min=14,
        help="Side of the network's input in px, a multiple of its patch; default: the model's.",
    ),
]
LooksOption = Annotated[
    Literal["1", "2", "auto", "turns"],
    typer.Option(
        "--looks",
        help="2: the network sees every picture again, larger, which takes three times as long; "
        "auto: where the first look is near the threshold; turns: it sees all four quarter turns "
        "of a picture, which takes four times as long, for cameras of which nobody knows how "
        "they are mounted.",
    ),
]
ImageTurnOption = Annotated[
    Literal["0", "90", "180", "270"],
    typer.Option(
        "--image-turn",
        help="Degrees counterclockwise that bring the pictures upright, for a camera that is "
        "mounted sideways or upside down; answers stay in the pictures' own pixels.",
    ),
]
JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json",
        metavar="FILE",
        help="Also write the outcome to FILE as JSON.",
        callback=output_file,
    ),
]
SplitOption = Annotated[
    str | None,
    typer.Option(
        "--split",
        help="seen, unseen or hico-iif, in upper or lower case; needed where ROOT has several.",
    ),
]
RootArgument = Annotated[
    Path,
    typer.Argument(metavar="ROOT", help="Folder in AGD20K layout: above trainset or testset."),
]


def load_model(
    model: str,
    runtime: str,
    weights: Path | None = None,
    taught: str = "none",
    input_size: int | None = None,
    looks: str = "1",
    image_turn: str = "0",
) -> Grounder:
    """Load a grounder; PyTorch is imported here and not before, so that --help is quick.

    Args:
        model: see `ModelOption`.
        runtime: see `RuntimeOption`.
        weights: see `WeightsOption`.
        taught: see `TaughtOption`. With "auto", a file that cannot be used is named on stderr
            and left alone: nobody asked for it here.
        input_size: see `InputSizeOption`.
        looks: see `LooksOption`.
        image_turn: see `ImageTurnOption`.
    """
    from affordance_grounding_core.inference.image_memory import keep_freed_memory
    from affordance_grounding_core.loading import add_taught, load_grounder
    from affordance_grounding_core.runtimes.request import RuntimeRequest, parse_runtime

    keep_freed_memory()  # of one picture, for the next
    # No camera waits here, and figures of a file are those of one runtime.
    request = RuntimeRequest(*parse_runtime(runtime), wait=True)
    try:
        grounder = load_grounder(
            model,
            backbone_weights=weights,
            request=request,
            input_size=input_size,
            looks=looks,
            image_turn=image_turn,
        )
    except ValueError as error:
        if input_size is None:
            raise
        raise typer.BadParameter(str(error), param_hint="--input-size") from error
    if taught == "none":
        return grounder
    from affordance_grounding_core.teaching.file import default_file

    own = default_file()
    if taught != "auto":
        add_taught(grounder, taught)
    elif own.is_file():
        try:
            add_taught(grounder, own)
        except TeachingError as error:
            typer.echo(f"without taught actions: {error}", err=True)
    return grounder


def write_json(path: Path | None, content: dict[str, Any]) -> None:
    """Write a report to a file if one was asked for, and make its folder.

    Args:
        path: file to write, or None for none.
        content: plain values; numbers are finite, so that every JSON reader accepts them.
    """
    if path is None:
        return
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
