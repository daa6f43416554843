"""How images of a camera are turned upright: by a parameter, or by where TF says that up is."""

from __future__ import annotations

import math
import threading
import time
from contextlib import suppress
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_core.inference.turn import ImageTurn, parse_image_turn
from affordance_grounding_ros.common.problem_log import COMMAND_BURST, ProblemLog
from affordance_grounding_ros.depth.camera_model import DepthError
from affordance_grounding_ros.depth.rotations import rotation_of
from affordance_grounding_ros.depth.transforms import FrameLookup
from affordance_grounding_ros.health.state import TurnStatus

AUTO = "auto"
"""Value of the parameter `image_turn` that asks TF."""

HYSTERESIS = 10.0
"""Degrees beyond the border between two turns up to which the present one stays."""

CONE = 20.0
"""Degrees between up and the camera's axis below which an image has no upper side."""

_MOST_FRAMES = 16


def quarter_turn(rotation: NDArray[np.float64], before: ImageTurn | None) -> ImageTurn:
    """Turn of the images of a camera in some pose.

    Args:
        rotation: (3, 3) from the camera's optical frame (x right, y down, z ahead, as in REP 103)
            to a frame whose z axis points up.
        before: turn of the image before; None where there was none.
    """
    right, down, _ = rotation[2]  # up, in the axes of the camera
    if not math.hypot(right, down) >= math.sin(math.radians(CONE)):
        return before or 0
    degrees = math.degrees(math.atan2(right, -down))
    if before is not None:
        away = (degrees - before + 180.0) % 360.0 - 180.0
        if abs(away) <= 45.0 + HYSTERESIS:
            return before
    return parse_image_turn(round(degrees / 90.0) * 90 % 360)


class ImageTurns:
    """Tells by how much each image is turned before the network sees it. Safe between threads.

    Where TF does not know, the turn stays what it was: an image never fails for it.

    Args:
        image_turn: degrees counterclockwise, or `AUTO`.
        upright_frame: frame whose z axis points up.
        frames: knows where frames lie; None where nothing is asked of TF.
        warnings: logs what TF does not know.
        notices: logs what turn is used.
    """

    PATIENCE = 1.0
    """Seconds from the first image on that transforms are waited for: they arrive late at first."""

    def __init__(
        self,
        image_turn: str,
        upright_frame: str,
        frames: FrameLookup | None,
        warnings: ProblemLog,
        notices: ProblemLog,
    ) -> None:
        self._fixed = None if image_turn == AUTO else parse_image_turn(image_turn)
        self._upright_frame = upright_frame
        self._frames = frames
        self._warnings = warnings
        self._notices = notices
        self._lock = threading.Lock()
        self._known: dict[str, ImageTurn] = {}
        self._waits_until: float | None = None
        self._status = TurnStatus(str(self.begins_with))

    @property
    def begins_with(self) -> ImageTurn:
        """Turn of images before the first has come."""
        return self._fixed or 0

    @property
    def status(self) -> TurnStatus:
        """How it stands with the camera's last image."""
        return self._status

    def of(self, header: Any, *, from_camera: bool = True) -> ImageTurn:
        """Turn of one image.

        Args:
            header: header of the image.
            from_camera: whether the image is the camera's; the status is of these alone.
        """
        if self._fixed is not None:
            return self._fixed
        frame = header.frame_id.lstrip("/")
        if not frame and not from_camera:
            return 0  # A picture of nobody's camera.
        with self._lock:
            before = self._known.get(frame)
            turn, problem = before or 0, ""
            try:
                turn = quarter_turn(self._rotation(frame, header.stamp), before)
            except DepthError as error:
                problem = self._problem(turn, error)
            else:
                self._remember(frame, turn)
            if from_camera:
                self._status = TurnStatus(str(turn), problem)
        if problem:
            self._warnings.report(f"image_turn {frame}", problem)
        elif turn != before:
            said = f"turned by {turn} degrees counterclockwise" if turn else "upright as they are"
            self._notices.report(
                "image_turn", f"images of frame {abbreviate(frame)} are {said}", COMMAND_BURST
            )
        return turn

    def _rotation(self, frame: str, stamp: Any) -> NDArray[np.float64]:
        """Rotation from a camera's frame to the upright one, in the first second with patience."""
        if self._frames is None or not frame:
            raise DepthError("transform", "the images name no frame")
        if self._waits_until is None:
            self._waits_until = time.monotonic() + self.PATIENCE
        while time.monotonic() < self._waits_until:
            with suppress(DepthError):
                return self._find(self._frames, frame, stamp)
            time.sleep(0.02)
        return self._find(self._frames, frame, stamp)

    def _find(self, frames: FrameLookup, frame: str, stamp: Any) -> NDArray[np.float64]:
        target = self._upright_frame
        try:
            found = frames.find(target, frame, stamp, 0.0)
        except DepthError:  # Not known yet: the newest will do, a camera seldom turns over.
            found = frames.find(target, frame, Time(), 0.0)
        return rotation_of(found.quaternion)

    def _remember(self, frame: str, turn: ImageTurn) -> None:
        if frame not in self._known and len(self._known) >= _MOST_FRAMES:
            del self._known[next(iter(self._known))]
        self._known[frame] = turn

    def _problem(self, turn: ImageTurn, error: DepthError) -> str:
        return (
            f"'image_turn' is \"auto\", but {error}; images are turned by {turn} degrees, as "
            "before. Publish the transform from the camera's optical frame, name a frame that "
            "your robot has and whose z axis points up in 'upright_frame' (now "
            f"{abbreviate(self._upright_frame)}), or set 'image_turn' to 0, 90, 180 or 270"
        )
