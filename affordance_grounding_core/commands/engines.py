"""`affordance-grounding engines`: what the cache of engines holds, and making room."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

engines = typer.Typer(
    no_args_is_help=True, help="List, measure and remove the engines that runtimes have built."
)

StoreOption = Annotated[
    Path | None,
    typer.Option("--store", metavar="DIR", help="Folder of engines; default: that of the cache."),
]


@engines.command("list")
def list_engines(store: StoreOption = None) -> None:
    """Name every engine with its size and whether it is usable."""
    from affordance_grounding_core.runtimes.stored_engines import stored_engines

    root = _root(store)
    found = stored_engines(root)
    for engine in found:
        typer.echo(f"{megabytes(engine.size):>9}  {engine.slot}  {engine.state}")
    if not found:
        typer.echo(f"no engines in {root}")


@engines.command()
def size(store: StoreOption = None) -> None:
    """Say how much room the engines take."""
    from affordance_grounding_core.runtimes.stored_engines import stored_engines

    root = _root(store)
    found = stored_engines(root)
    typer.echo(f"{megabytes(sum(one.size for one in found))} in {len(found)} engine(s) in {root}")


@engines.command()
def clear(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="As list names them, or how some begin."),
    ] = None,
    store: StoreOption = None,
) -> None:
    """Remove engines: all, or those that are named. They are built again where needed."""
    from affordance_grounding_core.runtimes.stored_engines import clear_engines

    removed = clear_engines(_root(store), names or ())
    freed = megabytes(sum(one.size for one in removed))
    typer.echo(f"{len(removed)} engine(s) removed, {freed} freed")


def megabytes(count: int) -> str:
    """Spell a number of bytes: "84.7 MB"."""
    return f"{count / 1e6:.1f} MB"


def _root(store: Path | None) -> Path:
    from affordance_grounding_core.runtimes.engine_store import store_directory

    return store.expanduser() if store is not None else store_directory()
