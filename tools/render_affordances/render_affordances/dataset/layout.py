"""Files of the benchmark: AGD20K's folders, one record a picture, and the manifest.

    OUT/Seen|Unseen/trainset/egocentric/ACTION/OBJECT/NAME.jpg
    OUT/Seen|Unseen/trainset/exocentric/ACTION/OBJECT/NAME.jpg
    OUT/Seen|Unseen/trainset/PL/ACTION/OBJECT/NAME_pl.png       exact part mask, 0 or 255
    OUT/Seen|Unseen/testset/egocentric/ACTION/OBJECT/NAME.jpg
    OUT/Seen|Unseen/testset/GT/ACTION/OBJECT/NAME.png           mask blurred by AGD20K's rule
    OUT/Seen|Unseen/testset/PL/ACTION/OBJECT/NAME_pl.png
    OUT/records/NAME.json                                       written last: the picture is done
    OUT/settings.json                                           what all pictures share
    OUT/manifest.json                                           all records, and counts
    OUT/README.md                                               the dataset card

A picture that shows several affordances lies in the folder of each, under one name.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from render_affordances.cameras.photograph import as_jpeg, as_png
from render_affordances.dataset.card import dataset_card
from render_affordances.dataset.ground_truth import blurred

RECORDS = "records"


class LayoutError(ValueError):
    """A folder holds something that this run must not continue."""


class Layout:
    """Writes pictures into the folders of a benchmark.

    Every file appears whole or not at all, and a picture's record appears after its files.

    Args:
        root: folder of the benchmark; created where it is missing.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Start or continue a benchmark.

        Args:
            settings: that all its pictures share, such as seed and split.

        Raises:
            LayoutError: the folder was begun with other settings, or its file is damaged.
        """
        file = self.root / "settings.json"
        if not file.is_file():
            self._write(file, json.dumps(dict(settings), indent=1, sort_keys=True).encode())
            return
        begun = _read(file)
        differing = sorted(
            f"{name} {begun.get(name)!r}, now {value!r}"
            for name, value in settings.items()
            if begun.get(name) != value
        )
        if differing:
            raise LayoutError(
                f"{self.root} was begun with other settings ({'; '.join(differing)}): continue it "
                f"with those, or choose another folder"
            )

    def is_done(self, name: str) -> bool:
        """Whether a picture was finished earlier."""
        return self._record_file(name).is_file()

    def record(self, name: str) -> dict[str, Any]:
        """Read the record of a finished picture.

        Raises:
            LayoutError: it is damaged.
        """
        return _read(self._record_file(name))

    def write_egocentric(
        self,
        name: str,
        folders: Iterable[str],
        picture: NDArray[np.uint8],
        masks: Mapping[str, NDArray[np.bool_]],
        record: Mapping[str, Any],
        quality: int,
    ) -> None:
        """Write a picture, its masks and, in a test set, its ground truth.

        Args:
            name: of the picture.
            folders: of the root it belongs to, for example "Seen/testset".
            picture: (H, W, 3) uint8, RGB.
            masks: action to mask, (H, W) bool.
            record: what the manifest says of it; needs "object".
            quality: of the JPEG.
        """
        photograph = as_jpeg(picture, quality)
        for action, mask in masks.items():
            place = Path(action) / str(record["object"])
            masked = as_png(np.where(mask, 255, 0).astype(np.uint8))
            for folder in folders:
                base = self.root / folder
                self._write(base / "egocentric" / place / f"{name}.jpg", photograph)
                self._write(base / "PL" / place / f"{name}_pl.png", masked)
                if folder.endswith("testset"):
                    self._write(base / "GT" / place / f"{name}.png", as_png(blurred(mask)))
        self.write_record(name, record)

    def write_exocentric(
        self,
        name: str,
        folders: Iterable[str],
        action: str,
        picture: NDArray[np.uint8],
        record: Mapping[str, Any],
        quality: int,
    ) -> None:
        """Write a picture of a hand at work.

        Args:
            name: of the picture.
            folders: of the root it belongs to, for example "Seen/trainset".
            action: that is done.
            picture: (H, W, 3) uint8, RGB.
            record: what the manifest says of it; needs "object".
            quality: of the JPEG.
        """
        content = as_jpeg(picture, quality)
        for folder in folders:
            place = self.root / folder / "exocentric" / action / str(record["object"])
            self._write(place / f"{name}.jpg", content)
        self.write_record(name, record)

    def write_record(self, name: str, record: Mapping[str, Any]) -> None:
        """Say that a picture is done (or cannot be made)."""
        self._write(self._record_file(name), json.dumps(record, sort_keys=True).encode())

    def write_manifest(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Gather all records into the manifest.

        Args:
            settings: of the run: seed, resolution and so on.

        Returns:
            The manifest's counts.

        Raises:
            LayoutError: a record is damaged.
        """
        folder = self.root / RECORDS
        files = sorted(folder.glob("*.json")) if folder.is_dir() else []
        records = {file.stem: _read(file) for file in files}
        counts = _counts(records)
        content = {"settings": dict(settings), "counts": counts, "pictures": records}
        self._write(self.root / "manifest.json", json.dumps(content, indent=1).encode())
        self._write(self.root / "README.md", dataset_card(settings, counts).encode())
        return counts

    def _record_file(self, name: str) -> Path:
        return self.root / RECORDS / f"{name}.json"

    def _write(self, file: Path, content: bytes) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f".{file.name}.{os.getpid()}")
        partial.write_bytes(content)
        partial.replace(file)


def _read(file: Path) -> dict[str, Any]:
    try:
        loaded = json.loads(file.read_text())
    except ValueError as error:
        raise LayoutError(f"{file} is damaged ({error}); delete it to render it again") from error
    if not isinstance(loaded, dict):
        raise LayoutError(f"{file} should hold a JSON object; delete it to render it again")
    return loaded


def _counts(records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    rejections: Counter[str] = Counter()
    pairs: dict[str, Counter[str]] = {}
    failed = 0
    for record in records.values():
        rejections.update(record.get("rejections", {}))
        if "failed" in record:
            failed += 1
            continue
        kind = f"{record['subset']} {record['kind']}"
        for action in record["actions"]:
            pairs.setdefault(kind, Counter())[f"{action}/{record['object']}"] += 1
    return {
        "pictures": len(records) - failed,
        "failed": failed,
        "rejections": dict(sorted(rejections.items())),
        "pairs": {kind: dict(sorted(found.items())) for kind, found in sorted(pairs.items())},
    }
