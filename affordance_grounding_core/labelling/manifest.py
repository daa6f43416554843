"""Reads and writes `manifest.json`, which holds all that was found in a training set."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.files import replace_json
from affordance_grounding_core.labelling.partners import (
    Partner,
    PartnerList,
    partner_list_from_dict,
)
from affordance_grounding_core.labelling.records import (
    ImageRecord,
    View,
    record_from_dict,
)

MANIFEST_FILE = "manifest.json"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Manifest:
    """Labels of a training set.

    Attributes:
        segmenter: what made them: models with their revisions, and the rule.
        similarity: what the partners were chosen with; empty where there are none.
        records: one for each image.
        partner_lists: one for each egocentric object.
    """

    segmenter: Mapping[str, str]
    similarity: str
    records: tuple[ImageRecord, ...]
    partner_lists: tuple[PartnerList, ...] = ()

    def record(self, view: View, action: str, object_name: str, image: str) -> ImageRecord | None:
        """Return the record of an image by its file name, or None."""
        return self._by_image.get((view, action, object_name, image))

    def partners(
        self, action: str, object_name: str, image: str, box: int | None = None
    ) -> tuple[Partner, ...]:
        """Return the exocentric objects most like one of an egocentric image.

        Args:
            action: action of the image.
            object_name: object class of the image.
            image: its file name.
            box: which of its objects; None for all, so that a partner may stand there twice.

        Returns:
            Best first; none where there are none or similarity was not computed.
        """
        lists = self._by_egocentric.get((action, object_name, image), ())
        found = [p for item in lists if box in (None, item.box) for p in item.partners]
        return tuple(sorted(found, key=lambda partner: -partner.similarity))

    def counts(self) -> dict[str, int]:
        """Count the images of every state."""
        counted = Counter(record.state for record in self.records)
        return {state: counted[state] for state in ("labelled", "nothing found", "failed")}

    def write(self, folder: Path) -> Path:
        """Write `manifest.json` into a label folder.

        Raises:
            OSError: it cannot be written.
        """
        path = folder / MANIFEST_FILE
        replace_json(
            path,
            {
                "format_version": FORMAT_VERSION,
                "segmenter": dict(self.segmenter),
                "similarity": self.similarity,
                "counts": self.counts(),
                "images": [record.as_dict() for record in self.records],
                "partners": [asdict(item) for item in self.partner_lists],
            },
        )
        return path

    @cached_property
    def _by_image(self) -> dict[tuple[str, str, str, str], ImageRecord]:
        return {(r.view, r.action, r.object_name, r.image): r for r in self.records}

    @cached_property
    def _by_egocentric(self) -> dict[tuple[str, str, str], list[PartnerList]]:
        grouped: dict[tuple[str, str, str], list[PartnerList]] = {}
        for item in self.partner_lists:
            grouped.setdefault((item.action, item.object_name, item.image), []).append(item)
        return grouped


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a label folder.

    Raises:
        DatasetError: there is none, or it is damaged or of another format version.
    """
    path = folder / MANIFEST_FILE
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(
            f"label folder {str(folder)!r} has no readable {MANIFEST_FILE} "
            f"({error.strerror or error}); make it with `affordance-grounding label`"
        ) from error
    except ValueError as error:
        raise DatasetError(f"{path} is no JSON ({error}); label the data again") from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise DatasetError(
            f"{path} has format_version {version!r}, this package reads {FORMAT_VERSION}; label "
            "the data again, which takes up what is still good"
        )
    try:
        return Manifest(
            {str(key): str(value) for key, value in content["segmenter"].items()},
            str(content["similarity"]),
            tuple(record_from_dict(values, str(path)) for values in content["images"]),
            tuple(partner_list_from_dict(values) for values in content["partners"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(
            f"{path} is damaged ({type(error).__name__}: {error}); label the data again"
        ) from error
