"""Make the moving picture of the README.

    python -m tools.animation --output docs/images/animation.webp

A camera moves over a photograph of scikit-image (coffee, CC0). Every frame is grounded on its own,
and the package's own overlay draws the answer beside the frame. The suffix chooses WebP or GIF.
"""

from __future__ import annotations

import argparse
import io
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_core.files import replace_file
from affordance_grounding_core.images import RgbImage, read_rgb
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.inference.overlay import draw_caption, draw_overlay
from affordance_grounding_core.loading import load_grounder

ACTIONS = ("drink_with", "hold", "cut_with")
"""Asked one after the other; nothing in the photograph affords the last."""

GAP = 8
"""Width of the white line between frame and answer, px."""

LARGEST_FILE = 1_500_000
"""Bytes; a README that is larger loads slowly."""

FORMATS = {".webp": "WEBP", ".gif": "GIF"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the picture; returns the exit code."""
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    try:
        photograph = read_rgb(options.photograph or coffee())
        grounder = load_grounder(options.model, options.runtime)
        pictures = list(animate(grounder, photograph, options.frames, options.width))
        content = encode(pictures, FORMATS[options.output.suffix], 1000 // options.rate)
        if len(content) > LARGEST_FILE:
            raise ValueError(
                f"the picture has {len(content)} bytes, more than {LARGEST_FILE}: ask for fewer "
                "--frames or a smaller --width"
            )
        replace_file(options.output, content)
    except (AffordanceGroundingError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{options.output}: {len(pictures)} pictures, {len(content) / 1000:.0f} kB")
    return 0


def coffee() -> Path:
    """The photograph of a cup that comes with scikit-image."""
    from skimage import data

    return Path(data.__file__).parent / "coffee.png"


def animate(
    grounder: Grounder, photograph: RgbImage, frames: int, width: int
) -> Iterator[NDArray[np.uint8]]:
    """Ground every frame of a camera that moves over a photograph.

    Args:
        grounder: to ask.
        photograph: what the camera looks at.
        frames: for each action.
        width: of a frame, px; the height follows the photograph.

    Yields:
        Frame and answer side by side, (h, 2 width + GAP, 3) uint8, RGB.
    """
    count = frames * len(ACTIONS)
    for number in range(count):
        action = ACTIONS[number // frames]
        frame = camera_frame(photograph, number / count, width)
        answer = draw_overlay(frame, grounder.ground(frame, action))
        seen = frame.copy()
        draw_caption(seen, f"command: {action.replace('_', ' ')}")
        line = np.full((frame.shape[0], GAP, 3), 255, np.uint8)
        yield np.concatenate([seen, line, answer], axis=1)


def camera_frame(photograph: RgbImage, phase: float, width: int) -> NDArray[np.uint8]:
    """One frame of the camera's way, which ends where it begins.

    Args:
        photograph: what the camera looks at.
        phase: share of the way, in [0, 1].
        width: of the frame, px.

    Returns:
        (h, width, 3) uint8, RGB, of the photograph's aspect ratio.
    """
    rows, columns = photograph.shape[:2]
    turn = 2 * math.pi * phase
    share = 0.86 + 0.06 * math.cos(turn)
    size = (columns * share, rows * share)
    left = (columns - size[0]) * (0.5 + 0.5 * math.sin(turn))
    top = (rows - size[1]) * (0.5 + 0.5 * math.sin(2 * turn))
    scale = size[0] / width
    into = np.array([[scale, 0, left], [0, scale, top]], np.float32)
    height = round(rows * width / columns)
    flags = cv2.INTER_AREA | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(photograph, into, (width, height), flags=flags), np.uint8)


def encode(pictures: Sequence[NDArray[np.uint8]], kind: str, milliseconds: int) -> bytes:
    """Encode pictures as an animation that repeats.

    Args:
        pictures: (h, w, 3) uint8, RGB, all of one size.
        kind: "WEBP" or "GIF".
        milliseconds: that each picture is shown.
    """
    images = [Image.fromarray(picture) for picture in pictures]
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        kind,
        save_all=True,
        append_images=images[1:],
        duration=milliseconds,
        loop=0,
        quality=70,
        method=6,
    )
    return buffer.getvalue()


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.animation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--output", type=Path, required=True, help="file, .webp or .gif")
    parser.add_argument("--photograph", type=Path, help="another photograph than the cup")
    parser.add_argument("--model", default="default", help="name of a model or checkpoint folder")
    parser.add_argument("--runtime", default="eager", help="what runs it; eager is reproducible")
    parser.add_argument("--frames", type=int, default=12, help="frames for each action")
    parser.add_argument("--rate", type=int, default=8, help="frames a second")
    parser.add_argument("--width", type=int, default=420, help="of a frame, px")
    options = parser.parse_args(arguments)
    if options.output.suffix not in FORMATS:
        parser.error(f"--output must end in {' or '.join(FORMATS)}, got {options.output}")
    if options.frames < 1 or options.rate < 1 or options.width < 64:
        parser.error("--frames and --rate must be at least 1, --width at least 64")
    return options


if __name__ == "__main__":
    sys.exit(main())
