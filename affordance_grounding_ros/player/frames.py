"""Frames of a photograph, a folder of photographs or a video, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.errors import AffordanceGroundingError, InvalidImageError
from affordance_grounding_core.images import IMAGE_SUFFIXES, is_image_file, read_rgb


class FrameSourceError(AffordanceGroundingError, ValueError):
    """A path that gives no frames."""


@dataclass(frozen=True)
class FrameSource:
    """Where frames come from.

    Attributes:
        path: photograph, folder of photographs (played by name) or video.
        start: number of the first frame played, from 0.
        loop: whether playing goes on from frame 0 after the last one.
        skip: told of each photograph of a folder that cannot be read, once.
    """

    path: Path
    start: int = 0
    loop: bool = True
    skip: Callable[[str], object] = lambda line: None
    _skipped: set[Path] = field(default_factory=set, init=False, compare=False, repr=False)

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Read frames, one at a time.

        Yields:
            The picture.

        Raises:
            FrameSourceError: the path is missing or gives no frame from `start` on.
            InvalidImageError: a photograph that cannot be read, and no other in its place.
        """
        if not self.path.exists():
            raise FrameSourceError(
                f"path {str(self.path)!r} does not exist; expected a photograph, a folder of "
                "photographs or a video: check the parameter 'path'"
            )
        yield from self._from(self.start)
        while self.loop:
            yield from self._from(0)

    def _from(self, first: int) -> Iterator[NDArray[np.uint8]]:
        if self.path.is_dir():
            yield from self._from_folder(first)
        elif is_image_file(self.path):
            self._check_start(first, 1)
            yield read_rgb(self.path)
        else:
            yield from self._from_video(first)

    def _from_folder(self, first: int) -> Iterator[NDArray[np.uint8]]:
        photographs = sorted(path for path in self.path.iterdir() if is_image_file(path))
        if not photographs:
            raise FrameSourceError(
                f"folder {str(self.path)!r} holds no photograph; expected files ending in "
                f"{', '.join(IMAGE_SUFFIXES)}"
            )
        self._check_start(first, len(photographs))
        damaged: InvalidImageError | None = None
        played = 0
        for photograph in photographs[first:]:
            try:
                image = read_rgb(photograph)
            except InvalidImageError as error:
                damaged = error
                if photograph not in self._skipped:
                    self._skipped.add(photograph)
                    self.skip(f"skipped: {error}")
                continue
            played += 1
            yield image
        # A folder without one that can be read would be walked through for ever.
        if damaged is not None and not played:
            raise damaged

    def _from_video(self, first: int) -> Iterator[NDArray[np.uint8]]:
        video = cv2.VideoCapture(str(self.path))
        try:
            if first:
                video.set(cv2.CAP_PROP_POS_FRAMES, first)
            read, frame = video.read()
            if not read:
                raise FrameSourceError(
                    f"file {str(self.path)!r} gives no frame number {first}; expected a photograph "
                    f"({', '.join(IMAGE_SUFFIXES)}) or a video that OpenCV can decode: convert it, "
                    "or check the parameter 'start'"
                )
            while read:
                yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
                read, frame = video.read()
        finally:
            video.release()

    def _check_start(self, first: int, count: int) -> None:
        if first >= count:
            raise FrameSourceError(
                f"{str(self.path)!r} has {count} frame(s), numbered from 0; cannot start at frame "
                f"{first}: set the parameter 'start' to at most {count - 1}"
            )
