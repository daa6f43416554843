"""From a command on ~/teach to the marked pixels of its image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from affordance_grounding_core.errors import TeachingError
from affordance_grounding_ros.images.conversions import image_to_array
from affordance_grounding_ros.msg import TeachAction

if TYPE_CHECKING:
    from affordance_grounding_core.teaching.marks import Mark


def check_way(command: TeachAction) -> str:
    """Say in which of the three ways a command marks the part.

    Args:
        command: that teaches.

    Returns:
        "box", "mask" or "click".

    Raises:
        TeachingError: in none of the ways, in several, or by numbers that are not finite.
    """
    click = (command.click_x, command.click_y, command.click_radius)
    if not all(map(math.isfinite, click)):
        raise TeachingError(f"a click must be finite, got {click}")
    given = {
        "box": command.box.width > 0 or command.box.height > 0,
        "mask": command.mask.width > 0 or command.mask.height > 0,
        "click": command.click_radius != 0.0,
    }
    ways = [name for name, used in given.items() if used]
    if len(ways) != 1:
        raise TeachingError(
            "mark the part in exactly one way: a box of a width and height above 0, a mask, or a "
            f"click of a radius above 0; got {' and '.join(ways) or 'none'}"
        )
    return ways[0]


def mark_of(command: TeachAction, height: int, width: int) -> Mark:
    """Mark the part in an image.

    Args:
        command: that teaches.
        height: of the image, in px.
        width: likewise.

    Raises:
        TeachingError: the mark does not lie in the image, or has another size.
        ImageMessageError: the mask cannot be read as an image.
    """
    from affordance_grounding_core.teaching.marks import mark_box, mark_click, mark_mask

    way = check_way(command)
    if way == "box":
        box = command.box
        return mark_box(box.x_offset, box.y_offset, box.width, box.height, height, width)
    if way == "click":
        return mark_click(command.click_x, command.click_y, command.click_radius, height, width)
    if command.mask.encoding != "mono8":
        raise TeachingError(
            f"a mask must have encoding 'mono8', got {command.mask.encoding[:20]!r}; convert it"
        )
    return mark_mask(image_to_array(command.mask), height, width)
