"""The contact sheet: rows of pictures under headings, each with its caption."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from tools.gallery.cells import Cell

_WIDTH, _HEIGHT = 184, 138
_GAP = 10
_LINE = 15
_HEADING = 26
_NOTE = 18
_INK, _PAPER = (30, 30, 30), (255, 255, 255)
_GREEN, _RED, _GREY = (20, 120, 50), (190, 30, 30), (110, 110, 110)
_BACKGROUND = (238, 238, 238)
_LOWEST_QUALITY = 40

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Section:
    """Pictures under one heading.

    Attributes:
        heading: above them.
        cells: pictures, in order.
        note: a line below the heading; may be empty.
    """

    heading: str
    cells: Sequence[Cell]
    note: str = ""


def draw_sheet(sections: Sequence[Section], columns: int) -> Image.Image:
    """Draw the contact sheet.

    Args:
        sections: those without pictures are left out.
        columns: pictures in a row.

    Raises:
        ValueError: no pictures, or no columns.
    """
    shown = [section for section in sections if section.cells]
    if not shown or columns < 1:
        raise ValueError(
            f"a sheet needs pictures and columns, got {len(shown)} sections with pictures and "
            f"{columns} columns"
        )
    heights = [_section_height(section, columns) for section in shown]
    size = (columns * (_WIDTH + _GAP) + _GAP, sum(heights) + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    top = 0
    for section, height in zip(shown, heights, strict=True):
        _draw_section(sheet, section, columns, top)
        top += height
    return sheet


def encode_jpeg(sheet: Image.Image, limit: int) -> bytes:
    """Compress as little as it takes to stay below a size.

    Args:
        sheet: to compress.
        limit: in bytes.

    Raises:
        ValueError: it does not fit at any sensible quality.
    """
    for quality in range(90, _LOWEST_QUALITY - 1, -5):
        buffer = io.BytesIO()
        sheet.save(buffer, "JPEG", quality=quality, optimize=True, subsampling=1)
        if buffer.tell() <= limit:
            return buffer.getvalue()
    raise ValueError(
        f"a sheet of {sheet.width} x {sheet.height} px does not fit into {limit} bytes; show "
        "fewer pictures"
    )


def _section_height(section: Section, columns: int) -> int:
    rows = -(-len(section.cells) // columns)
    note = _NOTE if section.note else 0
    return _HEADING + note + rows * (_HEIGHT + 2 * _LINE + _GAP) + _GAP


def _draw_section(sheet: Image.Image, section: Section, columns: int, top: int) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, top + _GAP), section.heading, _INK, font=ImageFont.load_default(16))
    first = top + _HEADING + _GAP // 2
    if section.note:
        draw.text((_GAP, first), section.note, _GREY, font=ImageFont.load_default(12))
        first += _NOTE
    for index, cell in enumerate(section.cells):
        row, column = divmod(index, columns)
        place = (
            _GAP + column * (_WIDTH + _GAP),
            first + row * (_HEIGHT + 2 * _LINE + _GAP),
        )
        _draw_cell(sheet, draw, cell, place)


def _draw_cell(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, cell: Cell, place: tuple[int, int]
) -> None:
    left, top = place
    draw.rectangle((left, top, left + _WIDTH - 1, top + _HEIGHT - 1), _BACKGROUND)
    picture = Image.fromarray(cell.picture)
    picture.thumbnail((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS)
    sheet.paste(
        picture, (left + (_WIDTH - picture.width) // 2, top + (_HEIGHT - picture.height) // 2)
    )
    asked, answered = cell.caption
    font = ImageFont.load_default(12)
    draw.text((left, top + _HEIGHT + 1), asked, _INK, font=font)
    draw.text((left, top + _HEIGHT + _LINE), answered, _colour(cell), font=font)
    if cell.failed:
        draw.rectangle((left, top, left + _WIDTH - 1, top + _HEIGHT - 1), outline=_RED, width=2)


def _colour(cell: Cell) -> Colour:
    if not cell.verdict:
        return _GREY
    return _RED if cell.failed else _GREEN
