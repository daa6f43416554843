"""HANDAL (Guo et al., IROS 2023): videos of tools in BOP format, handles marked.

    ROOT/handal_dataset_CATEGORY/test/SCENE/rgb/FRAME.jpg
    ROOT/handal_dataset_CATEGORY/test/SCENE/mask_parts/FRAME_OBJECT_handle.png

Also `train` and the depth-free archives. Frames of a video resemble each other: `--every 30` takes
one a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from affordance_grounding_core.data.conversion.base import Problems, Sample
from affordance_grounding_core.errors import DatasetError, InvalidImageError
from affordance_grounding_core.images import read_grey

PREFIX = "handal_dataset_"


def read_handal(root: Path, part: str, every: int, problems: Problems) -> Iterator[Sample]:
    """List the samples; see `Reader`. All handles of a frame are one mask."""
    categories = sorted(root.glob(f"{PREFIX}*")) or [root] * root.name.startswith(PREFIX)
    if not categories:
        raise DatasetError(
            f"{str(root)!r} holds no folder {PREFIX}CATEGORY; expected the unpacked archives of "
            "HANDAL beside each other, or one of them"
        )
    for category in categories:
        for scene in sorted(path for path in (category / part).glob("*") if path.is_dir()):
            yield from _scene(scene, category.name.removeprefix(PREFIX), every, problems)


def _scene(scene: Path, category: str, every: int, problems: Problems) -> Iterator[Sample]:
    handles = sorted((scene / "mask_parts").glob("*_handle.png"))
    frames = [(frame, list(files)) for frame, files in groupby(handles, _frame)]
    if not frames:
        problems.add("scenes have no mask of a handle", scene)
    for frame, files in frames[::every]:
        try:
            masks = [read_grey(file) >= 0.5 for file in files]
        except InvalidImageError as error:
            problems.add("masks cannot be read", error)
            continue
        yield Sample(
            scene / "rgb" / f"{frame}.jpg",
            f"{category}/{scene.name}/{frame}_handle",
            "hold",
            np.logical_or.reduce(masks),
            category,
            category,
        )


def _frame(file: Path) -> str:
    return file.name.split("_", 1)[0]
