"""Image files are read as a camera would deliver them, or refused by name."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from affordance_grounding_core.errors import InvalidImageError
from affordance_grounding_core.images import is_image_file, read_grey, read_rgb, write_png


def encode(suffix: str, image: np.ndarray) -> bytes:
    done, data = cv2.imencode(suffix, image)
    assert done
    return data.tobytes()


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Insert a minimal EXIF block that holds nothing but the orientation."""
    entry = b"\x12\x01" + b"\x03\x00" + b"\x01\x00\x00\x00" + bytes([orientation, 0, 0, 0])
    tiff = b"II*\x00\x08\x00\x00\x00" + b"\x01\x00" + entry + b"\x00\x00\x00\x00"
    body = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


def test_rgb_survives_the_way_to_png_and_back(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)
    write_png(tmp_path / "new" / "picture.png", image)
    np.testing.assert_array_equal(read_rgb(tmp_path / "new" / "picture.png"), image)


def test_grey_of_8_and_16_bits_becomes_three_equal_channels(tmp_path: Path) -> None:
    grey = np.array([[0, 100, 255]], np.uint8)
    write_png(tmp_path / "8.png", grey)
    write_png(tmp_path / "16.png", grey.astype(np.uint16) * 257)
    for name in ("8.png", "16.png"):
        np.testing.assert_array_equal(read_rgb(tmp_path / name), np.dstack([grey] * 3))


def test_transparency_is_dropped(tmp_path: Path) -> None:
    bgra = np.array([[[10, 20, 30, 0], [40, 50, 60, 255]]], np.uint8)
    (tmp_path / "alpha.png").write_bytes(encode(".png", bgra))
    np.testing.assert_array_equal(read_rgb(tmp_path / "alpha.png"), [[[30, 20, 10], [60, 50, 40]]])


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    image = np.zeros((16, 32, 3), np.uint8)
    image[:, :16] = 255
    (tmp_path / "turned.jpg").write_bytes(with_orientation(encode(".jpg", image), 6))
    upright = read_rgb(tmp_path / "turned.jpg")
    assert upright.shape == (32, 16, 3)
    assert upright[:14].min() > 240
    assert upright[18:].max() < 15


def test_a_preview_in_the_exif_block_does_not_hide_truncation(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    jpeg, preview = encode(".jpg", noise), encode(".jpg", noise[:8, :8])
    block = b"\xff\xe1" + (len(preview) + 2).to_bytes(2, "big") + preview
    whole = jpeg[:2] + block + jpeg[2:]
    (tmp_path / "whole.jpg").write_bytes(whole)
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    assert read_rgb(tmp_path / "whole.jpg").shape == (64, 64, 3)
    with pytest.raises(InvalidImageError, match=r"cut\.jpg.*truncated"):
        read_rgb(tmp_path / "cut.jpg")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        (b"", r"empty \(0 bytes\)"),
        (b"not an image at all", "not an image"),
        (b"\xff\xd8", "truncated"),
    ],
)
def test_what_is_no_image_is_refused_by_name(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    file = tmp_path / "broken.jpg"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidImageError, match=f"broken.jpg.*{reason}"):
        read_rgb(file)


def test_a_truncated_png_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    (tmp_path / "cut.png").write_bytes(encode(".png", noise)[:4000])
    with pytest.raises(InvalidImageError, match=r"cut\.png"):
        read_rgb(tmp_path / "cut.png")


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(InvalidImageError, match="directory"):
        read_rgb(tmp_path)


def test_labels_are_read_between_0_and_1(tmp_path: Path) -> None:
    write_png(tmp_path / "label.png", np.array([[0, 51, 255]], np.uint8))
    label = read_grey(tmp_path / "label.png")
    assert label.dtype == np.float32
    np.testing.assert_allclose(label, [[0.0, 0.2, 1.0]], rtol=1e-6)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((2, 2), np.float32),
        np.zeros((2, 2, 4), np.uint8),
        np.zeros((0, 2), np.uint8),
        np.zeros((2, 2, 3), np.uint16),
    ],
)
def test_arrays_that_are_no_picture_are_not_written(tmp_path: Path, image: np.ndarray) -> None:
    with pytest.raises(InvalidImageError, match="shape"):
        write_png(tmp_path / "no.png", image)
    assert not (tmp_path / "no.png").exists()


def test_hidden_files_and_other_kinds_are_no_images() -> None:
    assert is_image_file(Path("a.JPG"))
    assert not is_image_file(Path("._a.jpg"))
    assert not is_image_file(Path("a.txt"))
