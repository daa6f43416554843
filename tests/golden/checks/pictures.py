"""Which picture a golden case was computed from."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from checks.comparison import Array


def picture_of(
    arrays: Mapping[str, Array], case: str, batch: int, patches: int, patch_size: int
) -> torch.Tensor:
    """Find the picture with the batch size and the number of patches of a case.

    One that the case itself holds comes first (`case.image`), then one of the file, then those
    beside the file; among those that fit, one that is named in the case's name.

    Args:
        arrays: of the file and, as `images/<key>`, of the pictures beside it.
        case: name of the case, empty where there is none.
        batch: number of images.
        patches: of an image, without the class token.
        patch_size: side of a patch in px.

    Raises:
        ValueError: none fits.
    """
    own = f"{case}.image" if case else "image"
    fitting = {
        name: array
        for name, array in arrays.items()
        if array.ndim == 4
        and array.shape[:2] == (batch, 3)
        and not name.startswith("w/")
        and (array.shape[2] // patch_size) * (array.shape[3] // patch_size) == patches
    }
    if not fitting:
        raise ValueError(
            f"case {case!r} needs a picture of shape ({batch}, 3, h, w) with {patches} patches of "
            f"{patch_size} px; none is in the file or in images.npz beside it"
        )
    best = max(fitting, key=lambda name: (name == own, name.rsplit("/")[-1] in case))
    return torch.from_numpy(fitting[best])


def weights_of(arrays: Mapping[str, Array]) -> dict[str, torch.Tensor]:
    """The weights of a file, stored as `w/<name>`."""
    return {name[2:]: torch.from_numpy(array) for name, array in arrays.items() if name[:2] == "w/"}


def depth_of(weights: Mapping[str, torch.Tensor], blocks: str) -> int:
    """Number of blocks whose names begin with `blocks.<index>.`."""
    parts = len(blocks.split("."))
    return 1 + max(int(name.split(".")[parts]) for name in weights if name.startswith(f"{blocks}."))
