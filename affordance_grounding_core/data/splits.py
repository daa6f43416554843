"""Settings that papers report on, by name, and which training images are held out."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from affordance_grounding_core.actions.datasets import AGD20K_SEEN, AGD20K_UNSEEN
from affordance_grounding_core.actions.datasets import HICO_IIF as HICO_IIF_ACTIONS
from affordance_grounding_core.errors import DatasetError

FOLDER_SPLITS = ("Seen", "Unseen")
"""The splits of AGD20K; a folder of each name may stand between the root and the data."""

HICO_IIF = "HICO-IIF"
"""A data set of its own in the same layout, which has no split folder."""

SPLIT_ACTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Seen": AGD20K_SEEN,
        "Unseen": AGD20K_UNSEEN,
        HICO_IIF: HICO_IIF_ACTIONS,
    }
)
"""Setting to its actions, in the order of the published class lists."""

SPLITS = tuple(SPLIT_ACTIONS)
"""Everything that may be asked for as a split."""


def normalize_split(split: str | None) -> str | None:
    """Bring the name of a split into the spelling of its folder.

    Args:
        split: name in any case, with spaces, hyphens, underscores or none: "seen", "hico_iif".
            None stays None.

    Returns:
        One of `SPLITS`, or None.

    Raises:
        DatasetError: another name.
    """
    if split is None:
        return None
    spelled = {_bare(name): name for name in SPLITS} | {"hico": HICO_IIF}
    if _bare(split) not in spelled:
        raise DatasetError(
            f"split must be one of {[name.lower() for name in SPLITS]} (in any case), got {split!r}"
        )
    return spelled[_bare(split)]


def is_held_out(object_name: str, image: Path, every: int) -> bool:
    """Whether a training image is held out.

    By its name alone, so that it is the same image under every action and in every run.

    Args:
        object_name: class of the object shown.
        image: file of the image.
        every: share held out, as one in so many.
    """
    return zlib.crc32(f"validation/{object_name}/{image.stem}".encode()) % every == 0


def _bare(name: str) -> str:
    return re.sub(r"[\s_\-]+", "", name).casefold()
