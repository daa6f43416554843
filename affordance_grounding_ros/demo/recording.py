"""Writes messages to a bag of MCAP that Foxglove and `ros2 bag` open.

rosbags writes it, which needs no ROS distribution.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from rclpy.serialization import serialize_message

from affordance_grounding_core.errors import AffordanceGroundingError

PACKAGE = "affordance_grounding_ros"


class RecordingError(AffordanceGroundingError, RuntimeError):
    """A bag that cannot be written."""


class Recording:
    """A bag, written message by message; use it in a `with` statement.

    Args:
        folder: folder of the bag; a bag that is there is replaced, anything else is not.

    Attributes:
        file: the MCAP file in the folder.

    Raises:
        RecordingError: rosbags is not installed, the messages' definitions are not found, or the
            folder holds something else.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
        except ImportError as error:
            raise RecordingError(
                "a bag is written by rosbags, which is not installed: `pip install rosbags`"
            ) from error
        _make_room(folder)
        self._types = _message_types()
        self._writer = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._connections: dict[str, Any] = {}
        self.file = folder / f"{folder.name}.mcap"

    def __enter__(self) -> Recording:
        """Open the bag."""
        try:
            self._writer.open()
        except OSError as error:
            raise RecordingError(f"cannot write the bag {self.file}: {error}") from error
        return self

    def __exit__(self, *raised: object) -> None:
        """Finish the bag: without its end Foxglove would have to read all of it."""
        self._writer.close()

    def add(self, messages: Mapping[str, Any], stamp: int) -> None:
        """Write what was said at one moment.

        Args:
            messages: messages by topic, relative to the root namespace.
            stamp: when, in ns.
        """
        for topic, message in messages.items():
            self._writer.write(self._connection(topic, message), stamp, serialize_message(message))

    def _connection(self, topic: str, message: Any) -> Any:
        if topic not in self._connections:
            package, kind = type(message).__module__.split(".")[0], type(message).__name__
            self._connections[topic] = self._writer.add_connection(
                f"/{topic.lstrip('/')}", f"{package}/msg/{kind}", typestore=self._types
            )
        return self._connections[topic]


def _make_room(folder: Path) -> None:
    if not folder.exists():
        return
    if not (folder / "metadata.yaml").is_file():
        raise RecordingError(
            f"{folder} is there and is no bag; expected nothing or an earlier bag: move it away"
        )
    shutil.rmtree(folder)


def _message_types() -> Any:
    """Definitions of ROS's messages and our own: the bag holds those of all it contains."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    try:
        definitions = Path(get_package_share_directory(PACKAGE)) / "msg"
    except PackageNotFoundError as error:
        raise RecordingError(
            f"the package {PACKAGE} is not found; source its install/setup.bash"
        ) from error
    types = get_typestore(Stores.ROS2_KILTED)
    ours: dict[str, Any] = {}
    for path in sorted(definitions.glob("*.msg")):
        text = path.read_text(encoding="utf-8")
        ours.update(get_types_from_msg(text, f"{PACKAGE}/msg/{path.stem}"))
    types.register(ours)
    return types
