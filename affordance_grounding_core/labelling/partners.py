"""Chooses the exocentric pictures whose object is most like that of an egocentric one.

Objects are compared inside their boxes, so that a person and a room count for little
(WSAG-PLSP, section 3.4).
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from affordance_grounding_core.errors import InvalidImageError
from affordance_grounding_core.files import replace_json
from affordance_grounding_core.images import read_rgb
from affordance_grounding_core.labelling.describers import ImageDescriber
from affordance_grounding_core.labelling.part_names import Pair
from affordance_grounding_core.labelling.records import Box, ImageRecord

POOL = 10
"""Partners kept for each object, best first (WSAG-PLSP draws from the best ten)."""


@dataclass(frozen=True)
class Partner:
    """An object in an exocentric image.

    Attributes:
        image: file name.
        box: number of the object's box in the image's record.
        similarity: cosine, in [-1, 1].
    """

    image: str
    box: int
    similarity: float


@dataclass(frozen=True)
class PartnerList:
    """The exocentric objects most like one egocentric object.

    Attributes:
        action: action of both.
        object_name: object class of both.
        image: file name of the egocentric image.
        box: number of the object's box in its record; -1 for the whole image, where no
            object was found.
        partners: best first; none where no exocentric image has an object.
    """

    action: str
    object_name: str
    image: str
    box: int
    partners: tuple[Partner, ...]


def find_partners(
    records: Iterable[ImageRecord],
    describer: ImageDescriber,
    trainset: Path,
    cache: Path,
    *,
    pool: int = POOL,
    batch_size: int = 32,
    show_progress: bool = False,
) -> list[PartnerList]:
    """Compare the objects of every action and object class.

    Args:
        records: records of all images of a training set; those that failed are left out.
        describer: what "alike" means.
        trainset: folder of the images.
        cache: folder of what is known from earlier runs, one file for each class.
        pool: partners to keep.
        batch_size: pictures described at once.
        show_progress: whether to draw a progress bar, where stderr is a terminal.

    Returns:
        One list for each egocentric object, by action, object and image.

    Raises:
        InvalidImageError: an image that was readable when it was labelled no longer is.
    """
    classes: dict[Pair, list[ImageRecord]] = defaultdict(list)
    for record in records:
        if not record.problem:
            classes[record.action, record.object_name].append(record)
    bar = tqdm(
        sorted(classes.items()),
        desc="similarity",
        unit="class",
        disable=None if show_progress else True,
    )
    lists: list[PartnerList] = []
    for (action, name), members in bar:
        content = [describer.identity, pool, sorted(member.key for member in members)]
        key = hashlib.sha256(json.dumps(content).encode()).hexdigest()
        file = cache / action / f"{name}.json"
        known = _read(file, key)
        if known is None:
            known = _compare(members, describer, trainset, pool, batch_size)
            replace_json(file, {"key": key, "lists": [asdict(item) for item in known]})
        lists += known
    return lists


def partner_list_from_dict(values: Mapping[str, Any]) -> PartnerList:
    """Read a list as `dataclasses.asdict` writes it.

    Raises:
        KeyError, TypeError, ValueError: a field is missing or of another type.
    """
    return PartnerList(
        str(values["action"]),
        str(values["object_name"]),
        str(values["image"]),
        int(values["box"]),
        tuple(
            Partner(str(item["image"]), int(item["box"]), float(item["similarity"]))
            for item in values["partners"]
        ),
    )


def crop_box(image: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """Cut a box out of an image, at least one pixel of it.

    Args:
        image: (H, W, 3) uint8.
        box: x0, y0, x1, y1 in px; parts outside the image are left out.

    Returns:
        (h, w, 3) uint8, a view.
    """
    rows, columns = box_window(box, *image.shape[:2])
    return image[rows, columns]


def box_window(box: Box, height: int, width: int) -> tuple[slice, slice]:
    """Turn a box into rows and columns of an image, at least one of each."""
    left, top = min(max(int(box[0]), 0), width - 1), min(max(int(box[1]), 0), height - 1)
    right = min(max(int(np.ceil(box[2])), left + 1), width)
    bottom = min(max(int(np.ceil(box[3])), top + 1), height)
    return slice(top, bottom), slice(left, right)


def _compare(
    records: Sequence[ImageRecord],
    describer: ImageDescriber,
    trainset: Path,
    pool: int,
    batch_size: int,
) -> list[PartnerList]:
    objects = {view: list(_objects(records, view)) for view in ("egocentric", "exocentric")}
    vectors = {
        view: _describe(members, describer, trainset, batch_size)
        for view, members in objects.items()
    }
    lists = []
    for row, (record, box, _) in enumerate(objects["egocentric"]):
        partners: tuple[Partner, ...] = ()
        if objects["exocentric"]:
            similarity = vectors["exocentric"] @ vectors["egocentric"][row]
            best = np.argsort(-similarity, kind="stable")[:pool]
            partners = tuple(
                Partner(
                    objects["exocentric"][index][0].image,
                    objects["exocentric"][index][1],
                    round(float(similarity[index]), 5),
                )
                for index in best
            )
        lists.append(PartnerList(record.action, record.object_name, record.image, box, partners))
    return lists


def _objects(records: Sequence[ImageRecord], view: str) -> Iterator[tuple[ImageRecord, int, Box]]:
    for record in sorted(records, key=lambda record: record.image):
        if record.view != view or record.whole is None:
            continue
        for number, box in enumerate(record.whole.boxes):
            yield record, number, box
        if not record.whole.boxes and view == "egocentric":
            # Without a box the whole picture is compared: an egocentric one shows the object.
            yield record, -1, (0.0, 0.0, float(record.width), float(record.height))


def _describe(
    objects: Sequence[tuple[ImageRecord, int, Box]],
    describer: ImageDescriber,
    trainset: Path,
    batch_size: int,
) -> NDArray[np.float32]:
    vectors: list[NDArray[np.float32]] = []
    for start in range(0, len(objects), batch_size):
        crops = []
        for record, _, box in objects[start : start + batch_size]:
            place = trainset / record.view / record.action / record.object_name / record.image
            image = read_rgb(place)
            if image.shape[:2] != (record.height, record.width):
                raise InvalidImageError(
                    f"image {str(place)!r} has {image.shape[0]} x {image.shape[1]} px, it had "
                    f"{record.height} x {record.width} when it was labelled; label it again"
                )
            crops.append(crop_box(image, box))
        vectors.append(describer.describe(crops))
    return np.concatenate(vectors) if vectors else np.zeros((0, 0), np.float32)


def _read(file: Path, key: str) -> list[PartnerList] | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["key"] != key:
            return None
        return [partner_list_from_dict(values) for values in content["lists"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
