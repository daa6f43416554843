"""Reader of the AGD20K folder layout, which HICO-IIF and the rendered data share.

    ROOT[/Seen|/Unseen]/testset/egocentric/ACTION/OBJECT/NAME.jpg
    ROOT[/Seen|/Unseen]/testset/GT/ACTION/OBJECT/NAME.png
    ROOT[/Seen|/Unseen]/testset/masks/ACTION/OBJECT/NAME.png                exact parts, optional
    ROOT[/Seen|/Unseen]/trainset/{egocentric,exocentric}/ACTION/OBJECT/NAME.jpg
    ROOT[/Seen|/Unseen]/trainset/PL/ACTION/OBJECT/NAME_pl.png       part masks, optional

HICO-IIF has no split folder; "hico-iif" names it where a split is asked for. ROOT may also be
the `testset` or `trainset` folder itself. Listings are sorted by action, object and file name,
so they are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from affordance_grounding_core.data.splits import FOLDER_SPLITS, HICO_IIF, normalize_split
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.images import is_image_file

SOURCE = "AGD20K is linked from https://github.com/lhc1224/Cross-View-AG"


@dataclass(frozen=True)
class EvaluationImage:
    """One image of a test set.

    Attributes:
        image: its file.
        action: folder the image lies in, for example "cut_with".
        object_name: class of the object shown, for example "knife".
        ground_truth: grey picture of the heat, None where the data has none.
        mask: picture of the part itself, None where the data has none, as AGD20K.
        source: group of a data set of several, which is reported apart; "" for none.
    """

    image: Path
    action: str
    object_name: str
    ground_truth: Path | None
    mask: Path | None = None
    source: str = ""


@dataclass(frozen=True)
class TrainingImage:
    """One egocentric image of a training set.

    Attributes:
        image: its file.
        action: folder the image lies in.
        object_name: class of the object shown.
        part_mask: picture of the part that affords the action, None where the data has none.
    """

    image: Path
    action: str
    object_name: str
    part_mask: Path | None


@dataclass(frozen=True)
class ExocentricImage:
    """One image of a person at work with an object.

    Attributes:
        image: its file.
        action: folder the image lies in.
        object_name: class of the object used.
    """

    image: Path
    action: str
    object_name: str


@dataclass(frozen=True)
class EvaluationSet:
    """A test set.

    Attributes:
        folder: its `testset` folder.
        split: "Seen", "Unseen", "HICO-IIF" or None where the data says nothing of it.
        images: all its images, with and without ground truth.
        misplaced: image files that do not lie in an ACTION/OBJECT folder, so are not read.
        empty_classes: ACTION or ACTION/OBJECT folders without an image.
    """

    folder: Path
    split: str | None
    images: tuple[EvaluationImage, ...]
    misplaced: tuple[Path, ...]
    empty_classes: tuple[Path, ...] = ()

    @property
    def annotated(self) -> tuple[EvaluationImage, ...]:
        """The images that have a ground truth."""
        return tuple(image for image in self.images if image.ground_truth is not None)


@dataclass(frozen=True)
class TrainingSet:
    """A training set.

    Attributes:
        folder: its `trainset` folder.
        split: "Seen", "Unseen", "HICO-IIF" or None where the data says nothing of it.
        egocentric: images of objects, with part masks where there are any.
        exocentric: images of people using them.
        misplaced: image files that do not lie in an ACTION/OBJECT folder, so are not read.
        empty_classes: ACTION or ACTION/OBJECT folders without an image.
    """

    folder: Path
    split: str | None
    egocentric: tuple[TrainingImage, ...]
    exocentric: tuple[ExocentricImage, ...]
    misplaced: tuple[Path, ...]
    empty_classes: tuple[Path, ...] = ()


def read_evaluation_set(root: str | Path, split: str | None = None) -> EvaluationSet:
    """List a test set.

    Args:
        root: folder above `testset`, above `Seen` and `Unseen`, or `testset` itself.
        split: "seen" or "unseen" where the data has both, "hico-iif" for that data set, in any
            case; None where the folder says enough.

    Returns:
        At least one image; images without ground truth are listed too.

    Raises:
        DatasetError: no test set there, no image in it, or a split that is not there.
    """
    folder, found_split = _find_part(Path(root), "testset", split)
    pictures = folder / "egocentric"
    images = tuple(
        EvaluationImage(
            file,
            action,
            name,
            _existing(folder / "GT" / action / name / f"{file.stem}.png"),
            _existing(folder / "masks" / action / name / f"{file.stem}.png"),
        )
        for action, name, file in _labelled_files(pictures)
    )
    if not images:
        raise DatasetError(_no_images(pictures))
    return EvaluationSet(
        folder, found_split, images, _misplaced(pictures), _empty_classes(pictures)
    )


def select_objects(dataset: EvaluationSet, names: Collection[str]) -> EvaluationSet:
    """Keep the images of some object classes, for example of one left out in training.

    Args:
        dataset: listing to choose from.
        names: object classes to keep; none keeps all.

    Raises:
        DatasetError: a class that the test set does not have.
    """
    if not names:
        return dataset
    present = sorted({item.object_name for item in dataset.images})
    missing = sorted(set(names) - set(present))
    if missing:
        raise DatasetError(
            f"test set {str(dataset.folder)!r} has no object {missing}; expected some of {present}"
        )
    chosen = tuple(item for item in dataset.images if item.object_name in names)
    return replace(dataset, images=chosen)


def read_training_set(root: str | Path, split: str | None = None) -> TrainingSet:
    """List a training set.

    Args:
        root: folder above `trainset`, above `Seen` and `Unseen`, or `trainset` itself.
        split: "seen" or "unseen" where the data has both, "hico-iif" for that data set, in any
            case; None where the folder says enough.

    Returns:
        At least one egocentric image; there may be no exocentric ones and no part masks.

    Raises:
        DatasetError: no training set there, no image in it, or a split that is not there.
    """
    folder, found_split = _find_part(Path(root), "trainset", split)
    pictures = folder / "egocentric"
    egocentric = tuple(
        TrainingImage(
            file, action, name, _existing(folder / "PL" / action / name / f"{file.stem}_pl.png")
        )
        for action, name, file in _labelled_files(pictures)
    )
    if not egocentric:
        raise DatasetError(_no_images(pictures))
    people = folder / "exocentric"
    exocentric = tuple(
        ExocentricImage(file, action, name) for action, name, file in _labelled_files(people)
    )
    return TrainingSet(
        folder,
        found_split,
        egocentric,
        exocentric,
        _misplaced(pictures) + _misplaced(people),
        _empty_classes(pictures) + _empty_classes(people),
    )


def read_names(file: Path) -> frozenset[str]:
    """Read a list of the names of images.

    Args:
        file: text file with a name (without folder) a line.

    Raises:
        DatasetError: it cannot be read.
    """
    try:
        return frozenset(file.expanduser().read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"list of images {str(file)!r} cannot be read ({error}); expected a text file with the "
            "name of an image a line"
        ) from error


def affordances_of_objects(
    images: Iterable[EvaluationImage | TrainingImage | ExocentricImage],
) -> dict[str, frozenset[str]]:
    """Collect the actions every object class appears under.

    Args:
        images: images of one or more listings of the same data.

    Returns:
        Object class to its actions, by name.
    """
    actions: dict[str, set[str]] = {}
    for image in images:
        actions.setdefault(image.object_name, set()).add(image.action)
    return {name: frozenset(actions[name]) for name in sorted(actions)}


def _find_part(root: Path, part: str, split: str | None) -> tuple[Path, str | None]:
    """Find `testset` or `trainset` below or at a root."""
    split = normalize_split(split)
    if not root.is_dir():
        raise DatasetError(
            f"dataset folder {str(root)!r} does not exist or is no folder; expected the folder "
            f"that holds {part!r} or {' and '.join(FOLDER_SPLITS)}. {SOURCE}"
        )
    present = {name: root / name / part for name in FOLDER_SPLITS if _is_part(root / name / part)}
    if present and split is None and len(present) > 1:
        raise DatasetError(
            f"dataset {str(root)!r} has the splits {list(present)}; say which with split="
            f"{FOLDER_SPLITS[0]!r} or {FOLDER_SPLITS[1]!r} (on the command line: --split "
            f"{FOLDER_SPLITS[0].lower()})"
        )
    if present and (split is None or split in present):
        name = split or next(iter(present))
        return present[name], name
    for folder in (root / part, root, root / HICO_IIF / part):
        named = _split_of(folder)
        if _is_part(folder) and (folder != root or root.name == part or _only(root, part)):
            # HICO-IIF unpacks to a folder of any name, so only AGD20K's own names contradict.
            if split not in (None, named) and (split != HICO_IIF or named is not None):
                break
            return folder, split or named
    raise DatasetError(_not_found(root, part, split))


def _is_part(folder: Path) -> bool:
    return (folder / "egocentric").is_dir()


def _only(root: Path, part: str) -> bool:
    """Whether a folder of another name is a test set, or a training set, by what it holds."""
    is_test, is_train = (root / "GT").is_dir(), (root / "PL").is_dir()
    is_train = is_train or (root / "exocentric").is_dir()
    return (is_test and not is_train) if part == "testset" else (is_train and not is_test)


def _split_of(folder: Path) -> str | None:
    # Resolved, so that "." inside AGD20K/Seen still knows which split it is.
    parent = folder.resolve().parent.name
    return parent if parent in (*FOLDER_SPLITS, HICO_IIF) else None


def _not_found(root: Path, part: str, split: str | None) -> str:
    places = [f"{split}/{part}"] if split else [part, *(f"{n}/{part}" for n in FOLDER_SPLITS)]
    if split == HICO_IIF:
        places = [part, f"{HICO_IIF}/{part}"]
    wanted = " or ".join(f"{place}/egocentric/ACTION/OBJECT/*.jpg" for place in places)
    held = sorted(entry.name for entry in root.iterdir())
    shown = ", ".join(held[:8]) + (f", ... ({len(held)} in all)" if len(held) > 8 else "")
    return (
        f"dataset folder {str(root)!r} has no {part} of the AGD20K layout"
        f"{f' for split {split!r}' if split else ''}; expected {wanted} in it, found "
        f"{shown or 'an empty folder'}. {SOURCE}"
    )


def _no_images(folder: Path) -> str:
    return (
        f"dataset folder {str(folder)!r} holds no image at ACTION/OBJECT/*.jpg; "
        f"unpack the data again. {SOURCE}"
    )


def _labelled_files(folder: Path) -> Iterator[tuple[str, str, Path]]:
    for action in _folders(folder):
        for name in _folders(action):
            for file in sorted(name.iterdir()):
                if is_image_file(file) and file.is_file():
                    yield action.name, name.name, file


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(e for e in folder.iterdir() if e.is_dir() and not e.name.startswith("."))


def _misplaced(folder: Path) -> tuple[Path, ...]:
    """Image files one level too high or too deep."""
    if not folder.is_dir():
        return ()
    depth = len(folder.parts) + 3
    files = (f for f in folder.rglob("*") if is_image_file(f) and f.is_file())
    return tuple(sorted(f for f in files if len(f.parts) != depth))


def _empty_classes(folder: Path) -> tuple[Path, ...]:
    """Class folders that no image was found in: they cost nothing, but nobody meant them."""
    empty = []
    for action in _folders(folder):
        objects = _folders(action)
        empty += [] if objects else [action]
        empty += [
            name
            for name in objects
            if not any(is_image_file(file) and file.is_file() for file in name.iterdir())
        ]
    return tuple(empty)


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None
