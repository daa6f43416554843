"""Features of pictures, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.files import replace_file
from affordance_grounding_core.images import decode_rgb, read_bytes
from affordance_grounding_core.inference.preprocess import ImageGeometry
from affordance_grounding_core.teaching.features import PatchFeatures


class FeatureCache:
    """Unit features of pictures, by the content of their files.

    Args:
        folder: cache, made if needed.
        features: computes what is not there.
    """

    def __init__(self, folder: Path, features: PatchFeatures) -> None:
        self._folder = folder
        self._features = features
        options = f"{features.identity} {features.preprocess.config}"
        self._key = hashlib.sha256(options.encode()).hexdigest()[:16]
        self._loaded: dict[str, NDArray[np.float32]] = {}

    def digest(self, picture: Path) -> str:
        """Identity of a picture: pictures of the same content are one."""
        return hashlib.sha256(read_bytes(picture)).hexdigest()

    def features(self, picture: Path) -> NDArray[np.float32]:
        """Features of a picture, (rows, columns, C) float32.

        Raises:
            InvalidImageError: it cannot be read.
        """
        content = read_bytes(picture)
        digest = hashlib.sha256(content).hexdigest()
        if digest not in self._loaded:
            file = self._folder / f"{digest[:32]}-{self._key}.npy"
            if not file.is_file():
                pixels, _ = self._features.preprocess(decode_rgb(content, picture))
                values = self._features.of_pixels(pixels).astype(np.float16)
                replace_file(file, _npy(values))
            self._loaded[digest] = np.load(file, allow_pickle=False).astype(np.float32)
        return self._loaded[digest]

    def coverage(
        self, mask: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], ImageGeometry]:
        """Share of the patches that a part covers, and the picture; and where the picture lies.

        Args:
            mask: (H, W) bool.
        """
        geometry = self._features.preprocess.geometry(*mask.shape)
        covered, inside = self._features.coverage(mask, geometry)
        return covered, inside, geometry


def _npy(values: NDArray[np.float16]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=False)
    return stream.getvalue()
