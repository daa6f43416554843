"""Label folder: masks in the published layout, and a record of every image.

    PL/ACTION/OBJECT/NAME_pl.png                     the part, in egocentric images
    whole_obj_mask_ego/ACTION/OBJECT/NAME_pl.png     the object, in egocentric images
    whole_obj_mask_exo/ACTION/OBJECT/NAME_pl.png     the object, in exocentric images
    records/VIEW/ACTION/OBJECT/NAME.SUFFIX.json      what was found, and for which key

A record is written after its masks, each file as a whole, so a run that was killed is taken
up where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.files import replace_file, replace_json
from affordance_grounding_core.labelling.records import (
    ImageRecord,
    View,
    record_from_dict,
)

PART_FOLDER = "PL"
WHOLE_FOLDERS: Mapping[View, str] = {
    "egocentric": "whole_obj_mask_ego",
    "exocentric": "whole_obj_mask_exo",
}
RECORD_FOLDER = "records"


class LabelStore:
    """Reads and writes a folder of labels.

    Args:
        folder: made when the first file is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def claim(self, *, overwrite: bool) -> None:
        """Make the folder this labeller's own, so that nobody else's masks are replaced.

        Args:
            overwrite: whether masks that are there already may be replaced.

        Raises:
            DatasetError: it holds masks that no labeller has a record of.
            OSError: it cannot be written.
        """
        records = self.folder / RECORD_FOLDER
        if not records.is_dir() and not overwrite:
            for name in (PART_FOLDER, *WHOLE_FOLDERS.values()):
                foreign = next((self.folder / name).rglob("*.png"), None)
                if foreign is not None:
                    raise DatasetError(
                        f"label folder {str(self.folder)!r} holds masks that were not made by "
                        f"this command, for example {foreign.relative_to(self.folder)}; choose "
                        "another --out, or replace them with --overwrite"
                    )
        records.mkdir(parents=True, exist_ok=True)

    def read(self, view: View, action: str, object_name: str, image: str) -> ImageRecord | None:
        """Read the record of an image, or None where there is none that can be used.

        A record whose masks are gone, or which was damaged, counts as none: the image is
        labelled again.
        """
        path = self._record_path(view, action, object_name, image)
        try:
            record = record_from_dict(json.loads(path.read_text(encoding="utf-8")), str(path))
        except (OSError, ValueError, DatasetError):
            return None
        for finding in record.findings:
            if finding.mask is not None and not (self.folder / finding.mask).is_file():
                return None
        return record

    def write(self, record: ImageRecord, masks: Mapping[str, NDArray[np.bool_]]) -> None:
        """Write the masks of an image and then its record.

        Masks of an earlier run that this record does not have are removed, so that no label
        outlives the segmenter that made it.

        Args:
            record: record whose findings name the masks.
            masks: (H, W) bool, by the names in the record.

        Raises:
            OSError: a file cannot be written.
        """
        wanted = {finding.mask for finding in record.findings if finding.mask is not None}
        if wanted != set(masks):
            raise ValueError(f"record names masks {sorted(wanted)}, got {sorted(masks)}")
        for name, mask in masks.items():
            replace_file(self.folder / name, encode_mask(mask))
        for name in mask_names(record.view, record.action, record.object_name, record.image):
            if name not in masks:
                (self.folder / name).unlink(missing_ok=True)
        path = self._record_path(record.view, record.action, record.object_name, record.image)
        replace_json(path, record.as_dict())

    def _record_path(self, view: View, action: str, object_name: str, image: str) -> Path:
        return self.folder / RECORD_FOLDER / view / action / object_name / f"{image}.json"


def mask_names(view: View, action: str, object_name: str, image: str) -> tuple[str, ...]:
    """Name the masks an image may have, relative to the label folder.

    Returns:
        The part's and the object's in egocentric images, the object's in exocentric ones.
    """
    file = f"{action}/{object_name}/{PurePosixPath(image).stem}_pl.png"
    folders = [PART_FOLDER] if view == "egocentric" else []
    return tuple(f"{folder}/{file}" for folder in [*folders, WHOLE_FOLDERS[view]])


def encode_mask(mask: NDArray[np.bool_]) -> bytes:
    """Encode a mask as PNG: 255 inside, 0 outside."""
    encoded, data = cv2.imencode(".png", mask.astype(np.uint8) * 255)
    if not encoded:
        raise OSError(f"OpenCV could not encode a mask of shape {mask.shape} as PNG")
    return bytes(data.tobytes())


def check_names(images: Sequence[Path]) -> None:
    """Check that no two images of a folder would share a mask.

    Raises:
        DatasetError: two images differ by their suffix only.
    """
    known: dict[tuple[Path, str], Path] = {}
    for image in images:
        other = known.setdefault((image.parent, image.stem), image)
        if other != image:
            raise DatasetError(
                f"images {str(other)!r} and {image.name!r} would have the same mask "
                f"{image.stem}_pl.png; rename one of them"
            )
