"""Run the commands of docs/use/your_action.md, one after the other.

    python -m tools.first_steps --output first_steps

Makes `mug.jpg` and `mug2.jpg` from the photograph of a cup that comes with scikit-image, then shows
and runs every command of the page but those of `ros2`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from tools.animation.__main__ import coffee
from tools.site.blocks import REPOSITORY, Block, blocks

PAGE = REPOSITORY / "docs" / "use" / "your_action.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the page; returns the exit code of the first command that fails, or 0."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.first_steps",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to work in")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    write_photographs(options.output)
    for block in runnable():
        print(f"\n{block.text.strip()}\n", flush=True)
        finished = subprocess.run(command(block), cwd=options.output, env=environment())
        if finished.returncode:
            print(f"error: {block.place} ended with {finished.returncode}", file=sys.stderr)
            return finished.returncode
    print(f"\nDone; pictures, report and engine are in {options.output}/")
    return 0


def write_photographs(folder: Path) -> None:
    """Write the page's photographs: a cup with a spoon, and the same in a mirror.

    Args:
        folder: that is there.
    """
    with Image.open(coffee()) as photograph:
        cup = photograph.convert("RGB")
    cup.save(folder / "mug.jpg", quality=95)
    cup.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "mug2.jpg", quality=95)


def runnable() -> list[Block]:
    """The page's blocks but those that need a ROS 2 distribution."""
    return [
        block
        for block in blocks(PAGE)
        if block.language in ("bash", "python") and not block.text.startswith("ros2 ")
    ]


def command(block: Block) -> list[str]:
    """What runs a block.

    Args:
        block: of the page.
    """
    if block.language == "python":
        return [sys.executable, "-c", block.text]
    return ["bash", "-euo", "pipefail", "-c", block.text]


def environment() -> dict[str, str]:
    """The environment, with `affordance-grounding` of this interpreter first on the path."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"}


if __name__ == "__main__":
    sys.exit(main())
