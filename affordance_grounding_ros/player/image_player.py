"""Plays a photograph, a folder of photographs or a video as if a camera saw it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.common.command_line import Program
from affordance_grounding_ros.common.compatibility import values_given_at_start
from affordance_grounding_ros.common.parameters import (
    ParameterError,
    ParameterSpecification,
    ParameterTable,
)
from affordance_grounding_ros.common.process import Host, run_program
from affordance_grounding_ros.depth.camera_model import ideal_camera_info
from affordance_grounding_ros.images.conversions import array_to_image
from affordance_grounding_ros.player.camera_files import read_calibration, read_depth
from affordance_grounding_ros.player.frames import FrameSource

PARAMETERS = ParameterTable(
    (
        ParameterSpecification(
            "path", "", "Photograph, folder of photographs or video to play.", read_only=True
        ),
        ParameterSpecification(
            "rate", 10.0, "Images per second.", minimum=0.01, maximum=1000.0, read_only=True
        ),
        ParameterSpecification(
            "loop", True, "Start over after the last frame; false: end there.", read_only=True
        ),
        ParameterSpecification(
            "frame_id",
            "camera_optical_frame",
            "Frame of the images and of the camera's calibration.",
            read_only=True,
        ),
        ParameterSpecification(
            "start", 0, "Number of the first frame, from 0.", minimum=0, read_only=True
        ),
        ParameterSpecification(
            "horizontal_field_of_view",
            60.0,
            "Field of view of the imagined camera, in degrees, for camera_info.",
            minimum=1.0,
            maximum=179.0,
            read_only=True,
        ),
        ParameterSpecification(
            "calibration",
            "",
            "Calibration of the camera, a YAML file of camera_calibration; empty: imagined from "
            "the field of view.",
            read_only=True,
        ),
        ParameterSpecification(
            "depth",
            "",
            "Depth of the photograph, an image of 16 bits in millimetres, played on the topic "
            "depth; empty: none.",
            read_only=True,
        ),
    )
)


PROGRAM = Program(
    "image_player",
    "image_player",
    "Plays a photograph, a folder of photographs or a video as if a camera saw it, on `image`, "
    "`camera_info` and `depth`.",
    PARAMETERS,
    "-p path:=photographs/ -p rate:=5.0",
)


class ImagePlayer(Node):
    """Publishes frames on `image`, a matching calibration on `camera_info`, depth on `depth`.

    Args:
        node_options: keyword arguments of rclpy's node, such as `parameter_overrides`.

    Raises:
        ParameterError: a parameter of the wrong type or value, or no path.
        AffordanceGroundingError: the path gives no frame, or a file of the camera is no such file.
    """

    def __init__(self, **node_options: Any) -> None:
        super().__init__("image_player", **node_options)
        PARAMETERS.declare(self, values_given_at_start(self))
        values: dict[str, Any] = PARAMETERS.read(self)
        if not values["path"]:
            raise ParameterError(
                "parameter 'path' is empty; expected a photograph, a folder of photographs or a "
                "video: add `--ros-args -p path:=FILE`"
            )
        self._frame_id: str = values["frame_id"]
        self._field_of_view: float = values["horizontal_field_of_view"]
        self._calibration = _file(values["calibration"], read_calibration)
        self._depth = _file(values["depth"], read_depth)
        source = FrameSource(
            Path(values["path"]).expanduser(),
            values["start"],
            values["loop"],
            skip=lambda line: self.get_logger().warning(line),
        )
        self._frames: Iterator[NDArray[np.uint8]] = source.frames()
        self._next: NDArray[np.uint8] | None = next(self._frames)
        self._images = qos.create_publisher(self, Image, "image", qos.camera_output())
        self._calibrations = qos.create_publisher(
            self, CameraInfo, "camera_info", qos.camera_output()
        )
        if self._depth is not None:
            self._depths = qos.create_publisher(self, Image, "depth", qos.camera_output())
        self.get_logger().info(
            f"playing '{source.path}' at {values['rate']:g} Hz on "
            f"'{self.resolve_topic_name('image')}'"
        )
        self.create_timer(1.0 / values["rate"], self._play)

    @property
    def finished(self) -> bool:
        """Whether the last frame has been published."""
        return self._next is None

    def close(self) -> None:
        """Nothing is held but the node itself."""

    def _play(self) -> None:
        frame = self._next
        if frame is None:
            return
        height, width = frame.shape[:2]
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._frame_id)
        self._images.publish(array_to_image(frame, "rgb8", header))
        info = self._calibration or pinhole(header, height, width, self._field_of_view)
        info.header = header
        self._calibrations.publish(info)
        if self._depth is not None:
            self._depths.publish(array_to_image(self._depth, "16UC1", header))
        self._next = next(self._frames, None)


def _file(name: str, read: Callable[[Path], Any]) -> Any:
    return read(Path(name).expanduser()) if name else None


def pinhole(header: Header, height: int, width: int, field_of_view: float) -> CameraInfo:
    """Calibration of an ideal camera: square pixels, centred, no distortion.

    Args:
        header: header of the image.
        height: px.
        width: px.
        field_of_view: horizontal, in degrees.
    """
    focal = 0.5 * width / float(np.tan(np.radians(field_of_view) / 2.0))
    # Pixel centres are whole numbers, so the middle of the image is at (size - 1) / 2.
    center_x, center_y = (width - 1) / 2.0, (height - 1) / 2.0
    info = ideal_camera_info(height, width, focal, center_x, center_y)
    info.header = header
    return info


def main(args: list[str] | None = None) -> int:
    """Play until the last frame, or until interrupted.

    Args:
        args: command line, the process's own where None.

    Returns:
        Exit code: 0 after the last frame, SIGINT and SIGTERM; 1 if there is nothing to play.
    """

    def run(host: Host) -> None:
        player = host.make(ImagePlayer)
        while not player.finished and not host.stopped:
            host.spin_once(player)

    return run_program(PROGRAM, run, args, (ParameterError, AffordanceGroundingError))


if __name__ == "__main__":
    raise SystemExit(main())
