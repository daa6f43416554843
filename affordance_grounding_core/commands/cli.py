"""The command line `affordance-grounding`."""

from __future__ import annotations

from typing import Annotated

import typer

from affordance_grounding_core import __version__
from affordance_grounding_core.commands.actions import actions
from affordance_grounding_core.commands.benchmark import benchmark
from affordance_grounding_core.commands.data import data
from affordance_grounding_core.commands.engines import engines
from affordance_grounding_core.commands.evaluate import evaluate
from affordance_grounding_core.commands.export import export
from affordance_grounding_core.commands.import_checkpoint import import_checkpoint
from affordance_grounding_core.commands.label import label
from affordance_grounding_core.commands.predict import predict
from affordance_grounding_core.commands.refine import refine
from affordance_grounding_core.commands.teach import teach
from affordance_grounding_core.commands.train import PASS_THROUGH, train
from affordance_grounding_core.commands.weights import weights
from affordance_grounding_core.errors import AffordanceGroundingError

USER_ERROR = 2
"""Exit code of a request that cannot be carried out."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"affordance-grounding {__version__}")
        raise typer.Exit


@app.callback()
def common_options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Image + action -> affordance heatmap and grasp regions."""


app.command()(predict)
app.command()(evaluate)
app.command()(actions)
app.command()(weights)
app.command(context_settings=PASS_THROUGH)(train)
app.command()(export)
app.command()(benchmark)
app.command()(label)
app.command()(refine)
app.add_typer(data, name="data")
app.add_typer(engines, name="engines")
app.add_typer(import_checkpoint, name="import")
app.add_typer(teach, name="teach")


def main() -> None:
    """Run the command line; the user's own mistakes are one line on stderr, without traceback."""
    try:
        app(prog_name="affordance-grounding")
    except (AffordanceGroundingError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(USER_ERROR) from error
