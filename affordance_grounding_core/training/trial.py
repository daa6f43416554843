"""Trial runs: one batch of everything, on a few pictures, in a folder of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from affordance_grounding_core.data.agd20k import (
    EvaluationImage,
    ExocentricImage,
    TrainingImage,
    read_evaluation_set,
    read_names,
    read_training_set,
)
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.training.run_options import run_option

TRIAL_FOLDER = "trial"
"""Folder of a trial, in that of the run."""

PICTURES_AN_ACTION = 2
"""Egocentric pictures of a trial; as many exocentric ones of each of their classes."""

Image = TypeVar("Image", EvaluationImage, ExocentricImage, TrainingImage)


@contextmanager
def trial_arguments(arguments: Sequence[str]) -> Iterator[list[str]]:
    """Turn the options of a run into those of its trial.

    A run looks at all its data before the first batch, which can take an hour. A trial looks at a
    few pictures of every action, linked into temporary folders in the same layout, and writes to
    the folder `trial` of the run's output, so that it never replaces a model.

    Args:
        arguments: options of the run, as on the command line.

    Yields:
        The options, for as long as the temporary folders live.

    Raises:
        DatasetError: the data does not have the documented layout.
        TrainingError: a config that cannot be read.
    """
    more = []
    root, split, output, photographs, names, excluded = (
        run_option(arguments, name)
        for name in (
            *("data.root", "data.split", "output"),
            *("data.photographs", "data.photograph_list", "data.excluded_objects"),
        )
    )
    if output is not None:
        more.append(f"--output={Path(str(output)) / TRIAL_FOLDER}")
    if excluded:
        more.append("--data.excluded_objects=null")  # few pictures may show none of them
    with TemporaryDirectory(prefix="affordance-grounding-trial-") as temporary:
        if root is not None:
            folder = Path(temporary) / "data"
            link_few(Path(str(root)), None if split is None else str(split), folder)
            # One picture in two, so that few pictures have some to hold out.
            more += [f"--data.root={folder}", "--data.validation_every=2"]
        if _is_given(photographs):
            folder = Path(temporary) / "photographs"
            listed = read_names(Path(str(names))) if _is_given(names) else None
            link_few(Path(str(photographs)), None, folder, listed)
            more.append(f"--data.photographs={folder}")
        yield [*arguments, *more]


def _is_given(option: object) -> bool:
    return option not in (None, "null", "")


def link_few(
    root: Path, split: str | None, folder: Path, listed: Collection[str] | None = None
) -> None:
    """Link a few pictures of every action, with what belongs to them, into a folder.

    Args:
        root: folder of the data.
        split: split of the data.
        folder: folder to link into, in the layout of the data.
        listed: names (without folder) of the egocentric pictures that may be chosen; None for all.

    Raises:
        DatasetError: no training set in the documented layout.
    """
    training = read_training_set(root, split)
    base = folder / training.split if training.split in ("Seen", "Unseen") else folder
    allowed = [i for i in training.egocentric if listed is None or i.image.name in listed]
    chosen = _few(allowed, PICTURES_AN_ACTION)
    classes = {(item.action, item.object_name) for item in chosen}
    people: Counter[tuple[str, str]] = Counter()
    files = [path for item in chosen for path in (item.image, item.part_mask) if path]
    for person in training.exocentric:
        place = (person.action, person.object_name)
        people[place] += 1
        if place in classes and people[place] <= PICTURES_AN_ACTION:
            files.append(person.image)
    for file in files:
        _link(file, training.folder, base / "trainset")
    try:
        test = read_evaluation_set(root, split)
    except DatasetError:
        return  # a training set may stand alone
    for item in _few(test.annotated, 1):
        for path in (item.image, item.ground_truth, item.mask):
            if path is not None:
                _link(path, test.folder, base / "testset")


def _few(images: Iterable[Image], count: int) -> list[Image]:
    """Choose pictures of every action, of different classes of objects first."""
    seen: Counter[tuple[str, str]] = Counter()
    ranked = []
    for item in images:
        place = (item.action, item.object_name)
        ranked.append((seen[place], item))
        seen[place] += 1
    ranked.sort(key=lambda pair: pair[0])
    taken: Counter[str] = Counter()
    chosen = []
    for _, item in ranked:
        taken[item.action] += 1
        if taken[item.action] <= count:
            chosen.append(item)
    return chosen


def _link(file: Path, source: Path, target: Path) -> None:
    place = target / file.relative_to(source)
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        place.symlink_to(file.resolve())
