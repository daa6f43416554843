"""What every converted data set consists of, and how it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from affordance_grounding_core.data.blur import blur_mask
from affordance_grounding_core.data.evaluation_manifest import write_manifest
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.images import write_png

MANIFEST = "manifest.jsonl"
"""Name of the list that a conversion writes."""


@dataclass(frozen=True)
class Sample:
    """One picture, one question, and where the answer lies.

    Attributes:
        image: the picture, which stays where it is.
        name: unique name of the ground truth in its data set, with "/" for folders.
        asked: name of an action, or a sentence.
        is_sentence: which of the two.
        part: (H, W) bool, the part itself; or the points that people marked.
        is_points: which of the two; points become heat by AGD20K's rule, for they are no part.
        object_name: class of the object, "" where the data does not say.
        source: group to report apart.
    """

    image: Path
    name: str
    asked: str
    part: NDArray[np.bool_]
    object_name: str = ""
    source: str = ""
    is_sentence: bool = False
    is_points: bool = False


class Problems:
    """What a data set lacks, counted by kind; one example each is kept."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, str] = {}

    def add(self, kind: str, example: object) -> None:
        """Count one."""
        self.counts[kind] += 1
        self.examples.setdefault(kind, str(example))


class Reader(Protocol):
    """Lists the samples of a data set in its published layout."""

    def __call__(self, root: Path, part: str, every: int, problems: Problems) -> Iterator[Sample]:
        """List the samples.

        Args:
            root: folder of the data set.
            part: "train" or "test", as the data set names its split.
            every: take one picture in so many.
            problems: counter of what is left out.

        Raises:
            DatasetError: the folder does not have the published layout.
        """
        ...


@dataclass(frozen=True)
class Conversion:
    """What a conversion has written.

    Attributes:
        manifest: the list.
        samples: number of its rows.
        actions: rows by action; sentences count as "(sentence)".
        left_out: number by reason.
        examples: one file for each reason.
    """

    manifest: Path
    samples: int
    actions: Mapping[str, int]
    left_out: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)

    def as_text(self) -> str:
        """Return lines for the console."""
        lines = [f"{self.manifest}: {self.samples} rows"]
        lines += [f"  {count:6d}  {action}" for action, count in self.actions.items()]
        lines += [
            f"left out: {count} {reason}, for example {self.examples[reason]}"
            for reason, count in self.left_out.items()
        ]
        return "\n".join(lines)


def convert_dataset(
    read: Reader,
    root: Path,
    output: Path,
    part: str,
    every: int = 1,
    *,
    show_progress: bool = False,
) -> Conversion:
    """Write the masks of a data set as pictures of 0 and 255, and the list that names them.

    Pictures stay where they are; the list names them by absolute paths. What was written before is
    replaced, the list last.

    Args:
        read: reader of the data set's layout.
        root: folder of the data set.
        output: folder to write to, made where needed.
        part: "train" or "test".
        every: take one picture in so many; at least 1.
        show_progress: whether to draw a progress bar, where stderr is a terminal.

    Raises:
        DatasetError: the folder does not have the published layout, or nothing in it can be used.
        ValueError: `every` below 1.
    """
    if every < 1:
        raise ValueError(f"one picture in so many must be at least 1, got {every}")
    problems = Problems()
    actions: Counter[str] = Counter()
    samples = tqdm(
        read(root, part, every, problems),
        desc="convert",
        unit="row",
        disable=None if show_progress else True,
    )
    rows = _written(samples, output, problems, actions)
    first = next(rows, None)
    if first is None:
        reasons = "; ".join(f"{count} {reason}" for reason, count in problems.counts.items())
        raise DatasetError(
            f"nothing of {str(root)!r} can be converted for part {part!r}"
            + (f": {reasons}" if reasons else "; expected the published layout, unpacked")
        )
    count = write_manifest(output / MANIFEST, _chain(first, rows))
    return Conversion(
        output / MANIFEST,
        count,
        dict(sorted(actions.items())),
        dict(problems.counts),
        problems.examples,
    )


def require(path: Path, hint: str) -> Path:
    """Return a file or folder that has to be there.

    Raises:
        DatasetError: it is not.
    """
    if not path.exists():
        raise DatasetError(f"{str(path)!r} does not exist; expected {hint}")
    return path


def _written(
    samples: Iterable[Sample], output: Path, problems: Problems, actions: Counter[str]
) -> Iterator[dict[str, str]]:
    for sample in samples:
        if not sample.image.is_file():
            problems.add("pictures are missing", sample.image)
            continue
        if not sample.part.any():
            problems.add("ground truths are empty", sample.name)
            continue
        kind = "heatmap" if sample.is_points else "mask"
        place = Path(f"{kind}s") / f"{sample.name}.png"
        write_png(output / place, _picture(sample))
        actions["(sentence)" if sample.is_sentence else sample.asked] += 1
        row = {
            "image": str(sample.image.resolve()),
            "sentence" if sample.is_sentence else "action": sample.asked,
            kind: str(place),
            "object": sample.object_name,
            "source": sample.source,
        }
        yield {name: value for name, value in row.items() if value}


def _picture(sample: Sample) -> NDArray[np.uint8]:
    if not sample.is_points:
        return sample.part.astype(np.uint8) * np.uint8(255)
    heat = blur_mask(sample.part)
    return np.asarray(np.rint(255 * heat / heat.max()), np.uint8)


def _chain(first: dict[str, str], rest: Iterator[dict[str, str]]) -> Iterator[dict[str, str]]:
    yield first
    yield from rest
