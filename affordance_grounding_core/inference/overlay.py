"""Pictures for people: heat, regions and the answer drawn over the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.images.arrays import RgbImage
from affordance_grounding_core.inference.grounder import check_image
from affordance_grounding_core.inference.result import AffordanceRegion, GroundingResult

Colormap = Literal["inferno", "magma", "plasma", "viridis"]

_COLORMAPS: dict[Colormap, int] = {
    "inferno": cv2.COLORMAP_INFERNO,
    "magma": cv2.COLORMAP_MAGMA,
    "plasma": cv2.COLORMAP_PLASMA,
    "viridis": cv2.COLORMAP_VIRIDIS,
}
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_REFERENCE_SIDE = 480
_SMALLEST_TEXT_SIDE = 40
_WHITE = (255, 255, 255)
_BLACK = (0, 0, 0)
_REGION_COLOUR = (64, 224, 255)
_NOT_FOUND_COLOUR = (255, 150, 130)

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class OverlayConfig:
    """What is drawn, and how strongly.

    Attributes:
        opacity: share of the colour where the heat is 1, in [0, 1]; it falls with the heat,
            and a pixel without heat keeps its own colour.
        colormap: perceptually uniform scale from heat 0 to heat 1; its bright half begins at the
            threshold of the answer.
        contours: whether the edge of the mask is drawn.
        boxes: whether the oriented box of every region is drawn, its score beside it.
        caption: whether action and score are written in the upper left corner.
    """

    opacity: float = 0.75
    colormap: Colormap = "inferno"
    contours: bool = True
    boxes: bool = True
    caption: bool = True

    def __post_init__(self) -> None:
        if not 0.0 <= self.opacity <= 1.0:
            raise ValueError(f"opacity must lie in [0, 1], got {self.opacity}")
        if self.colormap not in get_args(Colormap):
            raise ValueError(
                f"colormap must be one of {list(get_args(Colormap))}, got {self.colormap!r}"
            )


DEFAULT_OVERLAY = OverlayConfig()
"""Heat, contours, boxes and caption."""


def draw_overlay(
    image: RgbImage, result: GroundingResult, config: OverlayConfig = DEFAULT_OVERLAY
) -> RgbImage:
    """Draw an answer over its image; neither is changed.

    Lines and letters grow with the image. On images too small for letters there are none.

    Args:
        image: to draw upon.
        result: of the same H and W.
        config: what is drawn.

    Returns:
        A new picture of the same size.

    Raises:
        InvalidImageError: not an (H, W, 3) uint8 array, or without pixels.
        ValueError: the result is of another size.
    """
    check_image(image)
    if result.heatmap.shape != image.shape[:2] or result.mask.shape != image.shape[:2]:
        raise ValueError(
            f"image and result must have one size, got an image of {image.shape[:2]}, a heatmap "
            f"of {result.heatmap.shape} and a mask of {result.mask.shape}: draw the result over "
            "the image it came from"
        )
    picture = blend_heat(image, result.heatmap, config, bright_from=result.threshold)
    thickness = max(1, round(min(image.shape[:2]) / 320))
    if config.boxes:
        for region in result.regions:
            _draw_box(picture, region, thickness)
    if config.contours:
        _draw_contours(picture, result.mask, thickness)
    if config.boxes:
        for region in result.regions:
            _draw_score(picture, region, thickness)
    if config.caption:
        answer = f"{result.score:.2f}" if result.found else f"not found ({result.score:.2f})"
        colour = _WHITE if result.found else _NOT_FOUND_COLOUR
        draw_caption(picture, f"{result.action}: {answer}", colour)
    return picture


def blend_heat(
    image: RgbImage,
    heatmap: NDArray[np.float32],
    config: OverlayConfig = DEFAULT_OVERLAY,
    *,
    bright_from: float = 0.5,
) -> RgbImage:
    """Colour an image by its heat; a pixel without heat keeps its own colour.

    Args:
        image: to draw upon.
        heatmap: (H, W) float32 in [0, 1].
        config: opacity and colormap.
        bright_from: heat at which the bright half of the colours begins, in (0, 1].

    Returns:
        A new picture of the same size.
    """
    scale = [0.0, bright_from, 1.0], [0.0, 0.5, 1.0]
    heat = np.interp(np.clip(heatmap, 0.0, 1.0), *scale).astype(np.float32)
    levels = np.rint(heat * 255).astype(np.uint8)
    coloured = cv2.cvtColor(
        cv2.applyColorMap(levels, _COLORMAPS[config.colormap]), cv2.COLOR_BGR2RGB
    )
    share = np.float32(config.opacity) * heat
    return np.asarray(cv2.blendLinear(image, coloured, 1 - share, share), np.uint8)


def draw_caption(picture: RgbImage, text: str, colour: Colour = _WHITE) -> None:
    """Write a line into the upper left corner on a darkened strip, as large as fits.

    Args:
        picture: RGB, contiguous; drawn into.
        text: one line; OpenCV's letters are ASCII, others become question marks.
        colour: of the letters, RGB.
    """
    height, width = picture.shape[:2]
    if min(height, width) < _SMALLEST_TEXT_SIDE:
        return
    scale = 0.8 * min(height, width) / _REFERENCE_SIDE
    (natural_width, _), _ = cv2.getTextSize(text, _FONT, 1.0, 1)
    scale = min(max(scale, 0.4), 0.95 * width / natural_width)
    weight = max(1, round(1.8 * scale))
    (text_width, text_height), below = cv2.getTextSize(text, _FONT, scale, weight)
    margin = max(2, text_height // 2)
    strip = picture[: text_height + below + 2 * margin, : text_width + 2 * margin]
    strip[:] = strip // 4
    origin = (min(margin, max(0, width - text_width)), margin + text_height)
    cv2.putText(picture, text, origin, _FONT, scale, colour, weight, cv2.LINE_AA)


def _draw_contours(picture: NDArray[np.uint8], mask: NDArray[np.bool_], thickness: int) -> None:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    _draw_lines(picture, [np.asarray(c, np.int32) for c in contours], _WHITE, thickness)


def _draw_box(picture: NDArray[np.uint8], region: AffordanceRegion, thickness: int) -> None:
    box = region.oriented_box
    along = np.array([np.cos(box.angle), np.sin(box.angle)])
    across = np.array([-along[1], along[0]])
    half_length, half_width = along * box.length / 2, across * box.width / 2
    corners = np.array([box.center_x, box.center_y]) + np.stack(
        [
            -half_length - half_width,
            half_length - half_width,
            half_length + half_width,
            -half_length + half_width,
        ]
    )
    _draw_lines(picture, [np.rint(corners).astype(np.int32)], _REGION_COLOUR, thickness)


def _draw_lines(
    picture: NDArray[np.uint8],
    polygons: Sequence[NDArray[np.int32]],
    colour: Colour,
    thickness: int,
) -> None:
    # A dark line below a bright one is seen on any background.
    below = thickness + max(2, thickness)
    cv2.polylines(picture, polygons, True, _BLACK, below, cv2.LINE_AA)
    cv2.polylines(picture, polygons, True, colour, thickness, cv2.LINE_AA)


def _draw_score(picture: NDArray[np.uint8], region: AffordanceRegion, thickness: int) -> None:
    """Write a region's score above its box, or below it where there is no room above."""
    height, width = picture.shape[:2]
    scale = max(0.35, 0.5 * min(height, width) / _REFERENCE_SIDE)
    weight = max(1, round(1.6 * scale))
    text = f"{region.score:.2f}"
    (text_width, text_height), _ = cv2.getTextSize(text, _FONT, scale, weight)
    if text_width > width / 4 or text_height > height / 4:
        return
    box, reach = region.oriented_box, abs(np.sin(region.oriented_box.angle))
    half = (box.length * reach + box.width * abs(np.cos(box.angle))) / 2
    gap = 3 * thickness + 2
    bottom = box.center_y - half - gap
    if bottom < text_height:
        bottom = min(box.center_y + half + gap + text_height, height - 1)
    left = int(np.clip(box.center_x - text_width / 2, 0, width - text_width))
    below = weight + max(2, weight)
    place = (left, int(bottom))
    cv2.putText(picture, text, place, _FONT, scale, _BLACK, below, cv2.LINE_AA)
    cv2.putText(picture, text, place, _FONT, scale, _WHITE, weight, cv2.LINE_AA)
