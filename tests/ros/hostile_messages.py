"""Images and goals that nobody should send, from a seeded generator."""

from __future__ import annotations

import array
import random
from collections.abc import Iterator

from sensor_msgs.msg import Image
from std_msgs.msg import Header

from affordance_grounding_ros.images.layouts import LAYOUTS
from affordance_grounding_ros.node.goal_inputs import GoalCommand

NAMES = ("hold", "cut_with", "pour", "grasp", "Cut-With")
ENCODINGS = (
    *LAYOUTS,
    "",
    "rgb",
    "RGB8",
    "8UC7",
    "64FC9",
    "jpeg",
    "../../x",
    "\x00\x1b[31m",
    "é" * 99,
)
SIZES = (0, 1, 2, 3, 7, 16, 31, 640, 2**16, 2**31, 2**32 - 1)
TEXTS = ("", " ", ";", "\n", "\x00", "\x1b[2J", "\u202e", "%s%n{}", "$(reboot)", "../../etc/passwd",
         "'; DROP TABLE", "http://x/y", "\ud7ff", "🤖", "a" * 300, "hold" * 100)  # fmt: skip


def images(count: int, seed: int) -> Iterator[Image]:
    """Images whose fields contradict each other more often than not."""
    rng = random.Random(seed)
    for number in range(count):
        encoding = rng.choice(ENCODINGS)
        height, width = rng.choice(SIZES[:8]), rng.choice(SIZES[:8])
        layout = LAYOUTS.get(encoding)
        step = width * layout.pixel_bytes if layout else width
        length = min(int(step * height * rng.choice((1, 1, 1.5, 2))), 4096)
        if rng.random() < 0.4:  # One field is wrong.
            field = rng.randrange(4)
            height = rng.choice(SIZES) if field == 0 else height
            width = rng.choice(SIZES) if field == 1 else width
            step = rng.choice(SIZES) if field == 2 else step
            length = rng.randrange(4096) if field == 3 else length
        message = Image(
            header=Header(frame_id=rng.choice(("camera", "", "x" * 300, "\x1b"))),
            height=height,
            width=width,
            encoding=encoding,
            is_bigendian=rng.choice((0, 0, 1, 255)),
            step=min(step, 2**32 - 1),
            data=array.array("B", rng.randbytes(length)),
        )
        message.header.stamp.sec = rng.choice((0, number, 2**31 - 1, -(2**31)))
        yield message


def goals(count: int, seed: int) -> Iterator[GoalCommand]:
    """Goals that are unreadable, unknown, too long, out of range, and now and then all right."""
    rng = random.Random(seed)

    def text() -> str:
        kind = rng.randrange(4)
        if kind == 0:
            return rng.choice(TEXTS)
        if kind == 1:
            return "".join(chr(rng.randrange(1, 0xD800)) for _ in range(rng.randrange(1, 400)))
        if kind == 2:
            return ";".join(rng.choice(NAMES) for _ in range(rng.randrange(1, 80)))
        name = list(rng.choice(NAMES))
        name[rng.randrange(len(name))] = chr(rng.randrange(32, 127))
        return "".join(name)

    numbers = (0.0, 0.0, 0.5, 1.0, -1.0, 2.0, 1e38, float("nan"), float("inf"), float("-inf"))
    for _ in range(count):
        object_name = text() if rng.random() < 0.2 else ""
        yield GoalCommand(text(), object_name, rng.choice(numbers), rng.choice(numbers))


def damaged_bytes(good: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Serialized messages with some bytes changed, and some cut short."""
    rng = random.Random(seed)
    for _ in range(count):
        data = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        yield bytes(data[: rng.randrange(4, len(data))] if rng.random() < 0.3 else data)
