"""`affordance-grounding engines`: list and remove stored engines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affordance_grounding_core.errors import ArtifactError

if TYPE_CHECKING:
    from affordance_grounding_core.runtimes.engines.store import ArtifactStore

engines = typer.Typer(
    no_args_is_help=True, help="List, measure and remove the engines that runtimes have built."
)

StoreOption = Annotated[
    Path | None,
    typer.Option("--store", metavar="DIR", help="Folder of engines; default: the cache."),
]


@dataclass(frozen=True)
class StoredEngine:
    """One line of the list of engines.

    Attributes:
        name: path below the store: model, runtime, precision and size of the input.
        folder: of the engine.
        size: of its files, in bytes.
        state: "usable", or why it is not.
    """

    name: str
    folder: Path
    size: int
    state: str


@engines.command("list")
def list_engines(store: StoreOption = None) -> None:
    """Name every engine with its size and whether it is usable."""
    place = _store(store)
    found = stored_engines(place)
    for engine in found:
        typer.echo(f"{megabytes(engine.size):>9}  {engine.name}  {engine.state}")
    if not found:
        typer.echo(f"no engines in {place.root}")


@engines.command()
def size(store: StoreOption = None) -> None:
    """Print how much room the engines take."""
    place = _store(store)
    found = stored_engines(place)
    total = megabytes(sum(one.size for one in found))
    typer.echo(f"{total} in {len(found)} engine(s) in {place.root}")


@engines.command()
def clear(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="Names as `list` prints them, or their beginnings."
        ),
    ] = None,
    store: StoreOption = None,
) -> None:
    """Remove all engines, or the named ones. An engine is built again when it is needed."""
    place = _store(store)
    found = stored_engines(place)
    for name in names or ():
        if not any(engine.name.startswith(name) for engine in found):
            raise ArtifactError(
                f"no engine in {place.root} is named {name!r}; `affordance-grounding engines list` "
                "names them"
            )
    chosen = [one for one in found if not names or one.name.startswith(tuple(names))]
    removed = [one.size for one in chosen if place.remove(one.folder)]
    typer.echo(f"{len(removed)} engine(s) removed, {megabytes(sum(removed))} freed")


def stored_engines(store: ArtifactStore) -> list[StoredEngine]:
    """List the engines of a store, sorted by name; empty where there is no store."""
    listed = []
    for engine in store.engines():
        folder = engine if isinstance(engine, Path) else engine.folder
        state = "has no manifest that can be read"
        if not isinstance(engine, Path):
            state = "; ".join(engine.manifest.failures) or "usable"
        count = sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file())
        name = folder.relative_to(store.root).as_posix()
        listed.append(StoredEngine(name, folder, count, state))
    return listed


def megabytes(count: int) -> str:
    """Spell a number of bytes: "84.7 MB"."""
    return f"{count / 1e6:.1f} MB"


def _store(folder: Path | None) -> ArtifactStore:
    from affordance_grounding_core.runtimes.engines.store import ArtifactStore, store_directory

    return ArtifactStore(folder.expanduser() if folder is not None else store_directory())
