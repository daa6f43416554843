"""Part masks are read by one rule, and what cannot be used is named with its fix."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from affordance_grounding_core.data.mosaic import draw_mosaic, tile_corner
from affordance_grounding_core.data.part_masks import mask_problems, read_part_mask
from affordance_grounding_core.data.splits import is_held_out
from affordance_grounding_core.errors import InvalidImageError
from affordance_grounding_core.images import write_png


def write(file: Path, values: list[list[int]]) -> Path:
    write_png(file, np.array(values, np.uint8))
    return file


def test_half_as_bright_as_white_belongs_to_the_part(tmp_path: Path) -> None:
    file = write(tmp_path / "mask.png", [[0, 127, 128], [200, 255, 1]])
    expected = [[False, False, True], [True, True, False]]
    assert read_part_mask(file).tolist() == expected
    assert read_part_mask(file, 2, 3).tolist() == expected
    colour = tmp_path / "colour.png"
    cv2.imwrite(str(colour), np.repeat(np.array([[[0], [255]]], np.uint8), 3, axis=2))
    assert read_part_mask(colour).tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[0, 0], [0, 0]], "is empty"),
        ([[0, 1], [1, 0]], "multiply masks of 0 and 1 by 255"),
        ([[0, 127], [0, 0]], "write the part as 255"),
        ([[255, 0]], "has 1 x 2 px, its image 2 x 2; make the label again"),
        ([], "cannot be read as an image"),
    ],
)
def test_what_cannot_be_used_is_named(
    tmp_path: Path, values: list[list[int]], message: str
) -> None:
    file, image = tmp_path / "mask.png", write(tmp_path / "image.png", [[9, 9], [9, 9]])
    if values:
        write(file, values)
    else:
        file.write_bytes(b"no image")
    with pytest.raises(InvalidImageError, match=rf"mask\.png.*{message}"):
        read_part_mask(file, 2, 2)
    assert message in mask_problems([(file, image)])[file]


def test_an_empty_mask_is_one_only_where_that_is_asked_for(tmp_path: Path) -> None:
    file = write(tmp_path / "mask.png", [[0, 0]])
    assert not read_part_mask(file, may_be_empty=True).any()


def test_an_image_is_held_out_by_class_and_name_alone() -> None:
    names = [Path(f"anywhere/{number}.png") for number in range(1000)]
    held_out = [file for file in names if is_held_out("cup", file, 10)]
    assert 60 < len(held_out) < 140
    moved = [Path("elsewhere") / file.with_suffix(".jpg").name for file in held_out]
    assert all(is_held_out("cup", file, 10) for file in moved)
    assert held_out != [file for file in names if is_held_out("knife", file, 10)]


def test_a_mosaic_is_drawn_row_by_row() -> None:
    tiles = [np.full((2, 2), number, np.uint8) for number in range(4)]
    expected = [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
    assert draw_mosaic(tiles).tolist() == expected
    assert [tile_corner(place, 2) for place in range(4)] == [(0, 0), (0, 2), (2, 0), (2, 2)]
