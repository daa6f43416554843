"""What a data set holds, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from affordance_grounding_core.data.agd20k import (
    EvaluationImage,
    EvaluationSet,
    ExocentricImage,
    TrainingImage,
    TrainingSet,
    read_evaluation_set,
    read_training_set,
)
from affordance_grounding_core.data.pairing import MINIMUM_SIDE, unpaired_classes
from affordance_grounding_core.data.part_masks import mask_problems
from affordance_grounding_core.data.splits import FOLDER_SPLITS, SPLIT_ACTIONS
from affordance_grounding_core.errors import DatasetError, InvalidImageError
from affordance_grounding_core.images import read_grey, read_rgb

Pixel = TypeVar("Pixel", bound=np.generic)


@dataclass(frozen=True)
class PartCheck:
    """What a folder of one kind of images holds.

    Attributes:
        part: "testset", "trainset egocentric" or "trainset exocentric", with its split.
        actions: number of action classes.
        objects: number of object classes.
        pairs: number of (action, object) classes.
        images: number of images.
        without_label: images without ground truth or part mask; None where none is expected.
        empty_labels: files of ground truths that are all zero.
        classes: images of each "ACTION/OBJECT".
        bad_masks: messages about part masks that training leaves out.
    """

    part: str
    actions: int
    objects: int
    pairs: int
    images: int
    without_label: int | None
    empty_labels: tuple[str, ...]
    classes: Mapping[str, int] = field(default_factory=dict)
    bad_masks: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatasetCheck:
    """Outcome of a check.

    Attributes:
        root: folder that was checked.
        parts: counts of each part of the data.
        misplaced: image files that do not lie in an ACTION/OBJECT folder, so are never read.
        unreadable: messages, one for each file that cannot be read.
        empty_classes: ACTION or ACTION/OBJECT folders without an image.
        unpaired: "ACTION/OBJECT" of exocentric images that have no egocentric one beside
            them, so that training leaves them out.
        missing_actions: part to the actions of its published class list that it lacks.
        tiny: images whose shorter side training refuses; found where images are decoded.
        duplicates: pictures of a training set that the test set of its split has too, by content.
    """

    root: str
    parts: tuple[PartCheck, ...]
    misplaced: tuple[str, ...]
    unreadable: tuple[str, ...]
    empty_classes: tuple[str, ...]
    unpaired: tuple[str, ...]
    missing_actions: dict[str, tuple[str, ...]]
    tiny: tuple[str, ...]
    duplicates: tuple[str, ...] = ()

    @property
    def spoils_training(self) -> bool:
        """Whether a run would leave something out that is there."""
        return bool(self.unreadable) or any(part.bad_masks for part in self.parts)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for `json.dump`."""
        return asdict(self)

    def as_text(self) -> str:
        """Return lines for the console."""
        lines = []
        for part in self.parts:
            lines.append(
                f"{part.part}: {part.images} images, {part.actions} actions, {part.objects} "
                f"objects, {part.pairs} pairs"
            )
            lines += [f"  {line}" for line in _class_lines(part.classes)]
            if part.without_label:
                lines.append(f"  {part.without_label} images have no label")
            lines += [f"  all-zero label: {file}" for file in part.empty_labels]
            lines += [f"  training leaves out: {message}" for message in part.bad_masks]
        for part_name, actions in self.missing_actions.items():
            lines.append(f"{part_name} has no image of the actions {', '.join(actions)}")
        lines += [f"empty class folder: {folder}" for folder in self.empty_classes]
        lines += [f"exocentric images without an egocentric one: {name}" for name in self.unpaired]
        lines += [f"not in an ACTION/OBJECT folder: {file}" for file in self.misplaced]
        lines += [f"shorter side below {MINIMUM_SIDE} px: {file}" for file in self.tiny]
        lines += [f"in training and in test: {pair}" for pair in self.duplicates]
        lines += [f"unreadable: {message}" for message in self.unreadable]
        return "\n".join(lines)


def check_dataset(
    root: str | Path,
    split: str | None = None,
    *,
    decode_images: bool = False,
    show_progress: bool = False,
) -> DatasetCheck:
    """Read all labels of a data set, and its images where asked for.

    Args:
        root: folder above `testset` or `trainset`, or one of them, or above the splits.
        split: "seen", "unseen" or "hico-iif", in any case; None for all there are.
        decode_images: whether every image is decoded too, which takes longer.
        show_progress: whether to draw a progress bar, where stderr is a terminal.

    Raises:
        DatasetError: neither a test set nor a training set there.
    """
    present = [name for name in FOLDER_SPLITS if (Path(root) / name).is_dir()]
    tests, trainings, reasons = _listings(root, [split] if split or not present else present)
    if not tests and not trainings:
        raise DatasetError(reasons[0])
    unreadable: list[str] = []
    parts = [_check_test(test, unreadable, show_progress) for test in tests]
    for training in trainings:
        parts += _check_training(training, show_progress)
    tiny = _decode_images(tests, trainings, unreadable, show_progress) if decode_images else ()
    listings: list[EvaluationSet | TrainingSet] = [*tests, *trainings]
    return DatasetCheck(
        root=str(root),
        parts=tuple(parts),
        misplaced=tuple(str(file) for listing in listings for file in listing.misplaced),
        unreadable=tuple(unreadable),
        empty_classes=tuple(str(path) for listing in listings for path in listing.empty_classes),
        unpaired=tuple(
            f"{action}/{name}"
            for training in trainings
            for action, name in unpaired_classes(training)
        ),
        missing_actions=_missing_actions(listings),
        tiny=tiny,
        duplicates=_duplicates(tests, trainings, show_progress),
    )


def _decode_images(
    tests: Sequence[EvaluationSet],
    trainings: Sequence[TrainingSet],
    unreadable: list[str],
    show_progress: bool,
) -> tuple[str, ...]:
    files = [item.image for test in tests for item in test.images]
    files += [item.image for training in trainings for item in training.egocentric]
    files += [item.image for training in trainings for item in training.exocentric]
    tiny = []
    for file in tqdm(files, desc="images", unit="image", disable=None if show_progress else True):
        image = _try_reading(read_rgb, file, unreadable)
        if image is not None and min(image.shape[:2]) < MINIMUM_SIDE:
            tiny.append(str(file))
    return tuple(tiny)


def _missing_actions(
    listings: Sequence[EvaluationSet | TrainingSet],
) -> dict[str, tuple[str, ...]]:
    """Compare with the published class lists, where the data says which it should have."""
    missing = {}
    for listing in listings:
        images = listing.images if isinstance(listing, EvaluationSet) else listing.egocentric
        held = {image.action for image in images}
        expected = SPLIT_ACTIONS.get(listing.split or "", ())
        if lacking := tuple(action for action in expected if action not in held):
            missing[_titled(listing.folder.name, listing.split)] = lacking
    return missing


def _listings(
    root: str | Path, splits: Sequence[str | None]
) -> tuple[list[EvaluationSet], list[TrainingSet], list[str]]:
    tests: list[EvaluationSet] = []
    trainings: list[TrainingSet] = []
    reasons: list[str] = []
    for name in splits:
        # A half of a data set, only test or only training, is a data set too.
        try:
            tests.append(read_evaluation_set(root, name))
        except DatasetError as error:
            reasons.append(str(error))
        try:
            trainings.append(read_training_set(root, name))
        except DatasetError as error:
            reasons.append(str(error))
    return tests, trainings, reasons


def _check_test(test: EvaluationSet, unreadable: list[str], show_progress: bool) -> PartCheck:
    labels = [item.ground_truth for item in test.annotated if item.ground_truth]
    return PartCheck(
        _titled("testset", test.split),
        *_class_counts([(item.action, item.object_name) for item in test.images]),
        len(test.images) - len(labels),
        _empty_labels(labels, unreadable, show_progress),
        _classes(test.images),
        _bad_masks([(item.mask, item.image) for item in test.images], show_progress),
    )


def _check_training(training: TrainingSet, show_progress: bool) -> list[PartCheck]:
    labels = [item.part_mask for item in training.egocentric if item.part_mask]
    # Training from image-level labels alone needs no masks, so none at all is no fault.
    without = len(training.egocentric) - len(labels) if labels else None
    parts = [
        PartCheck(
            _titled("trainset egocentric", training.split),
            *_class_counts([(item.action, item.object_name) for item in training.egocentric]),
            without,
            (),
            _classes(training.egocentric),
            _bad_masks(
                [(item.part_mask, item.image) for item in training.egocentric], show_progress
            ),
        )
    ]
    if training.exocentric:
        counts = _class_counts([(item.action, item.object_name) for item in training.exocentric])
        title = _titled("trainset exocentric", training.split)
        parts.append(PartCheck(title, *counts, None, (), _classes(training.exocentric)))
    return parts


def _class_counts(classes: Sequence[tuple[str, str]]) -> tuple[int, int, int, int]:
    actions = {action for action, _ in classes}
    objects = {name for _, name in classes}
    return len(actions), len(objects), len(set(classes)), len(classes)


def _classes(
    images: Sequence[EvaluationImage | TrainingImage | ExocentricImage],
) -> dict[str, int]:
    counts = Counter(f"{item.action}/{item.object_name}" for item in images)
    return dict(sorted(counts.items()))


def _class_lines(classes: Mapping[str, int]) -> list[str]:
    """One line an action, with the images of each of its objects."""
    groups: dict[str, list[str]] = {}
    for name, count in classes.items():
        action, object_name = name.split("/", 1)
        groups.setdefault(action, []).append(f"{object_name} {count}")
    return [f"{action}: {', '.join(counts)}" for action, counts in groups.items()]


def _bad_masks(pairs: Sequence[tuple[Path | None, Path]], show_progress: bool) -> tuple[str, ...]:
    """Judge part masks as training does; images that are not readable are named elsewhere."""
    present = [(mask, image) for mask, image in pairs if mask is not None]
    shown = tqdm(present, desc="masks", unit="mask", disable=None if show_progress else True)
    return tuple(mask_problems(shown).values())


def _duplicates(
    tests: Sequence[EvaluationSet], trainings: Sequence[TrainingSet], show_progress: bool
) -> tuple[str, ...]:
    """Find pictures that are learned from and tested on, by the content of their files."""
    found = []
    for test in tests:
        same = [training for training in trainings if training.split == test.split]
        learned = [item.image for training in same for item in training.egocentric]
        learned += [item.image for training in same for item in training.exocentric]
        # Files of one content have one size: few of them need to be read.
        sizes: dict[int, list[Path]] = {}
        for image in learned:
            sizes.setdefault(image.stat().st_size, []).append(image)
        asked = sorted({item.image for item in test.images})
        for image in tqdm(
            asked, desc="duplicates", unit="image", disable=None if show_progress else True
        ):
            content = image.read_bytes()
            found += [
                f"{other} is {image}"
                for other in sizes.get(len(content), ())
                if content and other.read_bytes() == content
            ]
    return tuple(found)


def _empty_labels(
    files: Sequence[Path], unreadable: list[str], show_progress: bool
) -> tuple[str, ...]:
    empty = []
    for file in tqdm(files, desc="labels", unit="label", disable=None if show_progress else True):
        label = _try_reading(read_grey, file, unreadable)
        if label is not None and label.max() <= 0:
            empty.append(str(file))
    return tuple(empty)


def _try_reading(
    read: Callable[[Path], NDArray[Pixel]], file: Path, unreadable: list[str]
) -> NDArray[Pixel] | None:
    try:
        return read(file)
    except InvalidImageError as error:
        unreadable.append(str(error))
        return None


def _titled(part: str, split: str | None) -> str:
    return f"{split} {part}" if split else part
