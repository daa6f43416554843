"""InstructPart (Wan et al., ACL 2025): photographs, one part each, and sentences that need it.

    ROOT/test/data_test.json
    ROOT/test/images/NAME-OBJECT-PART.jpg
    ROOT/test/masks/NAME-OBJECT-PART.png
    ROOT/train/train1800/data_train.json, images, masks      also train200, train600, train1200

An entry of the JSON has "image_path" (NAME.jpg) and a "part_list" of "object", "part",
"affordance", "action" and six sentences as "instruction". Spaces in names are underscores in file
names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from affordance_grounding_core.data.conversion.base import Problems, Sample, require
from affordance_grounding_core.errors import DatasetError, InvalidImageError
from affordance_grounding_core.images import read_grey

SENTENCE = 0
"""Which of the six sentences is taken: the instruction that a person wrote."""

_TRAINING_FOLDERS = ("train1800", "train1200", "train600", "train200")


def read_instructpart(root: Path, part: str, every: int, problems: Problems) -> Iterator[Sample]:
    """List the samples; see `Reader`."""
    folder = require(root / part, f"{part} of the unpacked InstructPart folder")
    if part == "train":
        folder = next((folder / n for n in _TRAINING_FOLDERS if (folder / n).is_dir()), folder)
    for entry in _entries(folder / f"data_{part}.json")[::every]:
        for item in entry["part_list"]:
            names = [str(item[key]).replace(" ", "_") for key in ("object", "part")]
            stem = "-".join([Path(entry["image_path"]).stem, *names])
            mask = _mask(folder / "masks", stem)
            if mask is None:
                problems.add("masks are missing", folder / "masks" / f"{stem}.png")
                continue
            try:
                grey = read_grey(mask)
            except InvalidImageError as error:
                problems.add("masks cannot be read", error)
                continue
            yield Sample(
                folder / "images" / f"{stem}.jpg",
                stem,
                str(item["instruction"][SENTENCE]),
                (grey > 0) & (grey >= grey.max() / 2),
                str(item["object"]),
                str(item["affordance"]),
                is_sentence=True,
            )


def _entries(file: Path) -> list[dict[str, Any]]:
    require(file, "the list of annotations of InstructPart")
    try:
        entries: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
        for entry in entries:
            for item in entry["part_list"]:
                _ = entry["image_path"], item["object"], item["part"], item["affordance"]
                _ = item["instruction"][SENTENCE]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise DatasetError(
            f"{str(file)!r} is no list of InstructPart annotations ({type(error).__name__}: "
            f"{error}); expected image_path and part_list in every entry"
        ) from error
    return entries


def _mask(folder: Path, stem: str) -> Path | None:
    files = (folder / f"{stem}{ending}" for ending in (".png", ".jpg"))
    return next((file for file in files if file.is_file()), None)
