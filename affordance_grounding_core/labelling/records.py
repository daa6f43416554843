"""Records of what was found in an image, and their JSON form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.labelling.segmenters.base import Phrases

View = Literal["egocentric", "exocentric"]
"""Of an object alone, or of a person using it."""

State = Literal["labelled", "nothing found", "failed"]

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in px of the image."""


@dataclass(frozen=True)
class Finding:
    """What was found for one set of phrases.

    Attributes:
        phrases: what was looked for.
        boxes: detections that count, best first; none where nothing was found.
        scores: one for each box, in [0, 1].
        mask: PNG of the united masks, relative to the label folder; None where nothing was
            found.
    """

    phrases: Phrases
    boxes: tuple[Box, ...] = ()
    scores: tuple[float, ...] = ()
    mask: str | None = None


@dataclass(frozen=True)
class ImageRecord:
    """What became of one image.

    Attributes:
        key: hash of everything the labels depend on: image, segmenter, rule and phrases.
        view: which half of the training set the image is in.
        action: folder the image lies in.
        object_name: class of the object.
        image: file name.
        height: height of the image in px; 0 where it could not be read.
        width: width of the image in px; 0 where it could not be read.
        part: the part that affords the action; None in exocentric images and failures.
        whole: the whole object; None in failures.
        problem: why the image could not be labelled; empty where it could.
    """

    key: str
    view: View
    action: str
    object_name: str
    image: str
    height: int = 0
    width: int = 0
    part: Finding | None = None
    whole: Finding | None = None
    problem: str = ""

    @property
    def state(self) -> State:
        """Whether everything that was looked for was found."""
        if self.problem:
            return "failed"
        found = all(finding.mask for finding in self.findings)
        return "labelled" if found else "nothing found"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Part and whole, as far as they were looked for."""
        return tuple(finding for finding in (self.part, self.whole) if finding is not None)

    @property
    def title(self) -> str:
        """Name for people: view, action, object and file."""
        return f"{self.view}/{self.action}/{self.object_name}/{self.image}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for `json.dump`."""
        return {**asdict(self), "state": self.state}


def record_from_dict(values: Mapping[str, Any], source: str) -> ImageRecord:
    """Read a record.

    Args:
        values: as written by `ImageRecord.as_dict`.
        source: what to call the file in messages.

    Raises:
        DatasetError: a field is missing or of another type.
    """
    try:
        record = ImageRecord(
            key=str(values["key"]),
            view=values["view"],
            action=str(values["action"]),
            object_name=str(values["object_name"]),
            image=str(values["image"]),
            height=int(values["height"]),
            width=int(values["width"]),
            part=_finding(values["part"]),
            whole=_finding(values["whole"]),
            problem=str(values["problem"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(
            f"{source} holds no record of labels ({type(error).__name__}: {error}); label the "
            "data again"
        ) from error
    if record.view not in get_args(View):
        raise DatasetError(
            f"{source}: view must be one of {list(get_args(View))}, got {record.view!r}"
        )
    return record


def box_from(values: Iterable[Any]) -> Box:
    """Turn four numbers into a box.

    Raises:
        ValueError: there are not four of them.
    """
    left, top, right, bottom = (float(value) for value in values)
    return left, top, right, bottom


def _finding(values: Mapping[str, Any] | None) -> Finding | None:
    if values is None:
        return None
    boxes = tuple(box_from(box) for box in values["boxes"])
    if len(boxes) != len(values["scores"]):
        raise ValueError(
            f"boxes {values['boxes']} and scores {values['scores']} do not go together"
        )
    mask = values["mask"]
    return Finding(
        tuple(map(str, values["phrases"])),
        boxes,
        tuple(map(float, values["scores"])),
        None if mask is None else str(mask),
    )
