"""`affordance-grounding teach`: new actions from a few marked pictures, without training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from affordance_grounding_core.commands.common import (
    ImageTurnOption,
    JsonOption,
    ModelOption,
    WeightsOption,
    write_json,
)
from affordance_grounding_core.commands.outputs import require_file
from affordance_grounding_core.errors import TeachingError
from affordance_grounding_core.images import read_grey, read_rgb
from affordance_grounding_core.teaching.marks import mark_box, mark_click, mark_mask

if TYPE_CHECKING:
    from affordance_grounding_core.teaching.collection import TaughtActions

teach = typer.Typer(
    invoke_without_command=True,
    help="Teach a new action by one or a few examples; `predict` and the node then know it.",
)

FileOption = Annotated[
    Path | None,
    typer.Option(
        "--file", metavar="FILE", help="File of taught actions; default: in your data folder."
    ),
]
NameOption = Annotated[
    str | None,
    typer.Option(help='Name of the action ("press shutter"); a known name gets one more example.'),
]
MaskOption = Annotated[
    Path | None,
    typer.Option(metavar="IMAGE", help="Mask of the part: white on black, of the picture's size."),
]
OverrideOption = Annotated[
    bool, typer.Option("--override", help="Replace a trained action of this name.")
]


@teach.callback()
def teach_action(
    context: typer.Context,
    name: NameOption = None,
    image: Annotated[
        Path | None, typer.Option(metavar="IMAGE", help="Picture of the object.")
    ] = None,
    mask: MaskOption = None,
    box: Annotated[
        tuple[int, int, int, int] | None,
        typer.Option(metavar="X Y WIDTH HEIGHT", help="Box around the part, in px."),
    ] = None,
    click: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="X Y", help="Point on the part, in px."),
    ] = None,
    radius: Annotated[
        float | None,
        typer.Option(help="Radius around the click, in px; default: 4 % of the longer side."),
    ] = None,
    file: FileOption = None,
    override: OverrideOption = False,
    image_turn: ImageTurnOption = "0",
    model: ModelOption = "default",
    backbone_weights: WeightsOption = None,
) -> None:
    """Teach an action by one example: a picture, and where the part is in it."""
    if context.invoked_subcommand is not None:
        return
    if name is None or image is None:
        raise typer.BadParameter(
            'give --name and --image: teach --name "press shutter" --image camera.jpg '
            "--box X Y WIDTH HEIGHT; or one of the commands list, remove, rename"
        )
    if sum(given is not None for given in (mask, box, click)) != 1:
        raise typer.BadParameter("mark the part by exactly one of --mask, --box and --click")
    if radius is not None and click is None:
        raise typer.BadParameter("--radius belongs to --click")
    kept = _file(file)
    require_file("--file", kept)
    picture = read_rgb(image)
    height, width = picture.shape[:2]
    if mask is not None:
        mark = mark_mask(read_grey(mask) >= 0.5, height, width)
    elif box is not None:
        mark = mark_box(*box, height, width)
    elif click is not None:
        mark = mark_click(*click, radius, height, width)
    from affordance_grounding_core.commands.common import load_model
    from affordance_grounding_core.teaching.teacher import Teacher

    grounder = load_model(model, "eager", backbone_weights, image_turn=image_turn)
    teacher = Teacher(grounder, kept)
    count = teacher.teach(name, picture, mark, source=image.name, override=override)
    known = teacher.taught.find(name)
    typer.echo(f"{known}: {count} example(s), the last by {mark.description} -> {kept}")


@teach.command("list")
def list_actions(file: FileOption = None, json_file: JsonOption = None) -> None:
    """List what has been taught."""
    kept = _file(file)
    taught = _read(kept, must_exist=file is not None)
    actions = taught.actions if taught else {}
    for name, action in actions.items():
        instead = " (in place of the model's own)" if action.overrides else ""
        typer.echo(f"{name}{instead}")
        for number, exemplar in enumerate(action.exemplars, 1):
            typer.echo(f"  {number}. {exemplar.source or 'no name'}, {exemplar.mark}")
    if not actions:
        typer.echo(f"nothing has been taught yet in {kept}")
    content: dict[str, Any] = {
        "file": str(kept),
        "backbone": str(taught.backbone) if taught else None,
        "actions": {
            name: {
                "overrides": action.overrides,
                "examples": [{"source": one.source, "mark": one.mark} for one in action.exemplars],
            }
            for name, action in actions.items()
        },
    }
    write_json(json_file, content)


@teach.command("remove")
def remove_action(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the taught action.")],
    example: Annotated[
        int | None, typer.Option(help="Only this example, by its number in the list.")
    ] = None,
    file: FileOption = None,
) -> None:
    """Forget an action, or one of its examples."""
    from affordance_grounding_core.teaching.file import write_taught

    kept = _file(file)
    taught = _require(kept)
    known = taught.find(name)
    write_taught(kept, taught.remove(name, example))
    typer.echo(f"forgot {known}" if example is None else f"forgot example {example} of {known}")


@teach.command("rename")
def rename_action(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the taught action.")],
    new_name: Annotated[str, typer.Argument(metavar="NEW_NAME", help="Its new name.")],
    file: FileOption = None,
    override: OverrideOption = False,
    model: ModelOption = "default",
) -> None:
    """Give a taught action another name."""
    from affordance_grounding_core.teaching.collection import check_name
    from affordance_grounding_core.teaching.file import write_taught

    kept = _file(file)
    taught = _require(kept)
    overrides = _check_free(check_name(new_name), model, override)
    known = taught.find(name)
    renamed = taught.rename(name, new_name, overrides=overrides)
    write_taught(kept, renamed)
    typer.echo(f"{known} is now called {renamed.find(new_name)}")


def _check_free(name: str, model: str, override: bool) -> bool:
    """Refuse the name of a trained action, without loading the model; returns whether it is one."""
    from affordance_grounding_core.loading import trained_vocabulary
    from affordance_grounding_core.teaching.teacher import require_free

    trained = trained_vocabulary(model)
    require_free(name, trained, override)
    return trained.find(name) is not None


def _file(file: Path | None) -> Path:
    from affordance_grounding_core.teaching.file import default_file

    return file.expanduser() if file is not None else default_file()


def _read(file: Path, *, must_exist: bool) -> TaughtActions | None:
    from affordance_grounding_core.teaching.file import read_taught

    return read_taught(file) if must_exist or file.is_file() else None


def _require(file: Path) -> TaughtActions:
    taught = _read(file, must_exist=False)
    if taught is None:
        raise TeachingError(f"nothing has been taught yet: there is no file {file}")
    return taught
