"""Cache of frozen features: a fixed set of views of every image, computed once.

Training from the cache sees `cached_views` crops of an image instead of a new one every time,
and never runs a backbone. Rows are keyed by the content of the image and the view; the folder
by the backbones' weights and everything that shapes a view, so that no row is ever stale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from affordance_grounding_core.data.feature_store import (
    ContentDigests,
    FeatureStore,
    Wanted,
    fill,
    identity_key,
)
from affordance_grounding_core.data.image_check import too_small
from affordance_grounding_core.data.pairing import MINIMUM_SIDE
from affordance_grounding_core.data.transforms import CropConfig, random_crop, squash
from affordance_grounding_core.errors import InvalidImageError
from affordance_grounding_core.images import decode_rgb, read_bytes
from affordance_grounding_core.methods.selective_cl.frozen_backbones import FrozenBackbones

SQUASHED = -1
"""Number of the view that testing looks at: the whole image, stretched to a square."""


@dataclass(frozen=True)
class WantedViews:
    """Which views of an image are wanted.

    Attributes:
        image: its file.
        views: their numbers; `SQUASHED` or those of crops, from 0.
    """

    image: Path
    views: tuple[int, ...]


class FeatureCache:
    """Frozen features by image and view.

    Args:
        folder: folder above all caches.
        backbones: backbones whose features are kept; on the device to compute on.
        crops: crops of the training views.
        seed: seed of the crops.

    Attributes:
        unusable: files that cannot be read or are too small, with what is wrong with them.
    """

    def __init__(
        self, folder: Path, backbones: FrozenBackbones, crops: CropConfig, seed: int = 0
    ) -> None:
        self.crops = crops
        self.seed = seed
        self.unusable: dict[Path, str] = {}
        self._digests = ContentDigests()
        key = identity_key(
            {"backbones": backbones.fingerprint, "crops": asdict(crops), "seed": seed}
        )
        self.store = FeatureStore(folder / "selective_cl" / key, backbones.shapes(crops.crop))
        self._decoded: tuple[str, NDArray[np.uint8] | None] | None = None

    def fill(
        self,
        wanted: Sequence[WantedViews],
        backbones: FrozenBackbones,
        *,
        show_progress: bool = True,
    ) -> None:
        """Compute what is not there yet; may be interrupted and called again.

        Args:
            wanted: images and their views; a file may be named more than once.
            backbones: those the cache was made with.
            show_progress: whether to draw a progress bar, where stderr is a terminal.

        Raises:
            DatasetError: the disk is full or the folder cannot be written.
        """
        views = (
            Wanted(_key(digest, view), partial(self._look, file, digest, view))
            for digest, (file, numbers) in self._identify(wanted).items()
            for view in numbers
        )
        fill(self.store, views, partial(_describe, backbones), show_progress=show_progress)
        self._decoded = None

    @property
    def folder(self) -> Path:
        """Where the features lie."""
        return self.store.folder

    def read(self, image: Path, view: int) -> dict[str, NDArray[np.float16]]:
        """Return the features of one view.

        Args:
            image: file that `fill` was called with.
            view: number of the view.

        Raises:
            KeyError: it was never computed.
        """
        return self.store.read(_key(self._digests.of(image), view))

    def crop_seed(self, image: Path, view: int) -> tuple[int, ...]:
        """What the crop of a view was drawn with.

        Args:
            image: file that `fill` was called with.
            view: number of a crop.
        """
        return self._crop_seed(self._digests.of(image), view)

    def _crop_seed(self, digest: str, view: int) -> tuple[int, ...]:
        return self.seed, int(digest[:15], 16), view

    def _identify(self, wanted: Sequence[WantedViews]) -> dict[str, tuple[Path, tuple[int, ...]]]:
        """Map the content of every readable file to one file that has it and to its views."""
        contents: dict[str, tuple[Path, tuple[int, ...]]] = {}
        for item in wanted:
            if item.image in self.unusable:
                continue
            try:
                digest = self._digests.of(item.image)
            except InvalidImageError as error:
                self.unusable[item.image] = str(error)
                continue
            file, views = contents.get(digest, (item.image, ()))
            contents[digest] = file, tuple(sorted({*views, *item.views}))
        return contents

    def _look(self, file: Path, digest: str, view: int) -> torch.Tensor | None:
        """Return a view of an image, (3, crop, crop) float32; None where it cannot be read."""
        if self._decoded is None or self._decoded[0] != digest:  # views of an image come together
            self._decoded = digest, self._decode(file)
        _, image = self._decoded
        if image is None:
            return None
        if view == SQUASHED:
            return squash(image, self.crops.crop)
        return random_crop(image, self.crops, self._crop_seed(digest, view))

    def _decode(self, file: Path) -> NDArray[np.uint8] | None:
        try:
            image = decode_rgb(read_bytes(file), file)
            if min(image.shape[:2]) < MINIMUM_SIDE:
                raise InvalidImageError(too_small(file, *image.shape[:2]))
        except InvalidImageError as error:
            for same in self._digests.same_as(file):
                self.unusable[same] = str(error)
            return None
        return image


def _key(digest: str, view: int) -> str:
    return f"{digest}/{view}"


def _describe(
    backbones: FrozenBackbones, keys: Sequence[str], views: Sequence[torch.Tensor]
) -> Mapping[str, NDArray[np.float16]]:
    device = next(backbones.parameters()).device
    features = backbones(torch.stack(list(views)).to(device))
    rows = {
        "descriptors": features.descriptors,
        "class_attention": features.class_attention,
        "clip_tokens": features.clip_tokens,
    }
    halves = {name: v.cpu().numpy().astype(np.float16) for name, v in rows.items() if v is not None}
    for name, values in halves.items():
        finite = np.isfinite(values.reshape(len(keys), -1)).all(axis=1)
        if not finite.all():
            raise RuntimeError(
                f"{name} of view {keys[int(np.argmin(finite))]} are not finite in float16; the "
                "backbone's weights may be damaged: train with data.cache_features: false to see"
            )
    return halves
