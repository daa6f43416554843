"""A JPEG is read like a browser reads it, unless a part of the picture would be made up."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pictures

from affordance_grounding_core.errors import InvalidImageError
from affordance_grounding_core.images import decode_image, jpeg, read_grey, read_rgb

SUBSAMPLINGS = ("444", "422", "420", "440", "411")
END = b"\xff\xd9"

strict = pytest.mark.skipif(
    jpeg.simplejpeg is None, reason="simplejpeg, which tells what libjpeg noticed, is not installed"
)


def scene(height: int = 120, width: int = 161) -> np.ndarray:
    """Smooth colours with some noise, (H, W, 3) uint8."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 256, (6, 8, 3), np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)


def encode(image: np.ndarray, quality: int = 85, subsampling: str = "420", **flags: int) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR]
    options.append(getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{subsampling}"))
    for name, value in flags.items():
        options += [getattr(cv2, f"IMWRITE_JPEG_{name.upper()}"), value]
    done, data = cv2.imencode(".jpg", image[..., ::-1] if image.ndim == 3 else image, options)
    assert done
    return bytes(data)


def scan_of(data: bytes) -> int:
    position = data.rfind(b"\xff\xda")
    return position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")


def opencv(data: bytes, mode: int = cv2.IMREAD_COLOR) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    return image[..., ::-1] if image.ndim == 3 else image


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_pixels_are_those_of_opencv(subsampling: str) -> None:
    data = encode(scene(), subsampling=subsampling)
    np.testing.assert_array_equal(decode_image(data, "a").rgb, opencv(data))
    assert decode_image(data, "a").remark == ""


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_applied_as_opencv_does_and_only_when_asked(orientation: int) -> None:
    exif = Pictures.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Pictures.fromarray(scene()).save(file, "JPEG", exif=exif)
    data = file.getvalue()
    np.testing.assert_array_equal(decode_image(data, "a").rgb, opencv(data))
    kept = opencv(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    np.testing.assert_array_equal(decode_image(data, "a", upright=False).rgb, kept)


def test_a_png_is_turned_only_when_asked() -> None:
    exif = Pictures.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Pictures.fromarray(scene()).save(file, "PNG", exif=exif)
    assert decode_image(file.getvalue(), "a", upright=False).rgb.shape == (120, 161, 3)


@pytest.mark.parametrize("kind", ["grey", "cmyk", "progressive", "restarts", "optimised"])
def test_other_kinds_of_jpeg_are_read(kind: str, tmp_path: Path) -> None:
    image = scene()
    if kind == "cmyk":
        file = io.BytesIO()
        Pictures.fromarray(image).convert("CMYK").save(file, "JPEG")
        data = file.getvalue()
    elif kind == "grey":
        data = encode(image[..., 1])
    else:
        flags = {"progressive": {"progressive": 1}, "restarts": {"rst_interval": 4}}
        data = encode(image, **flags.get(kind, {"optimize": 1}))
    np.testing.assert_array_equal(decode_image(data, kind).rgb, opencv(data))
    (tmp_path / "label.jpg").write_bytes(data)
    grey = opencv(data, cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(read_grey(tmp_path / "label.jpg"), grey.astype(np.float32) / 255)


@strict
@pytest.mark.parametrize("progressive", [0, 1])
def test_a_missing_end_marker_alone_is_no_damage(tmp_path: Path, progressive: int) -> None:
    data = encode(scene(), progressive=progressive)
    assert data.endswith(END)
    (tmp_path / "endless.jpg").write_bytes(data[:-2])
    np.testing.assert_array_equal(read_rgb(tmp_path / "endless.jpg"), opencv(data))


@strict
@pytest.mark.parametrize("lost", [4, 20, 200, 2000])
@pytest.mark.parametrize("ended", [False, True])
def test_a_picture_that_was_cut_short_is_refused(lost: int, ended: bool) -> None:
    cut = encode(scene())[: -2 - lost] + (END if ended else b"")
    with pytest.raises(InvalidImageError, match=r"'cut\.jpg' is truncated or damaged.*premature"):
        decode_image(cut, "cut.jpg")


@pytest.mark.parametrize("quality", [60, 80, 95])
@pytest.mark.parametrize("size", [30, 400])
@pytest.mark.parametrize("subsampling", ["444", "420"])
def test_zeroed_bytes_of_a_scan_are_refused_wherever_they_are(
    quality: int, size: int, subsampling: str
) -> None:
    whole = encode(scene(), quality, subsampling)
    start = scan_of(whole)
    for position in range(start, len(whole) - 2 * size, 97):
        damaged = bytearray(whole)
        damaged[position : position + size] = bytes(size)
        with pytest.raises(InvalidImageError, match=r"'z\.jpg' is damaged"):
            decode_image(bytes(damaged), "z.jpg")


@pytest.mark.parametrize("optimize", [0, 1])
@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("channels", [1, 3])
def test_even_surfaces_are_not_taken_for_zeroed(optimize: int, level: int, channels: int) -> None:
    even = np.full((400, 640, 3) if channels == 3 else (400, 640), level, np.uint8)
    even[200:230, 300:340] = 60
    data = encode(even, optimize=optimize)
    np.testing.assert_array_equal(decode_image(data, "even").rgb, opencv(data))


@strict
def test_bytes_that_put_the_scan_out_of_step_are_refused() -> None:
    whole = encode(scene(), 95)
    start = scan_of(whole)
    del_from = start + (len(whole) - start) // 2
    with pytest.raises(InvalidImageError, match="truncated or damaged"):
        decode_image(whole[:del_from] + whole[del_from + 700 :], "gap.jpg")


@strict
def test_a_few_loose_bytes_are_remarked_and_filling_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = encode(scene())
    loose = whole[:-2] + bytes(range(1, 13)) + END
    decoded = decode_image(loose, "loose.jpg")
    np.testing.assert_array_equal(decoded.rgb, opencv(whole))
    assert "extraneous bytes" in decoded.remark
    (tmp_path / "loose.jpg").write_bytes(loose)
    read_rgb(tmp_path / "loose.jpg")
    assert "loose.jpg' was read, but its JPEG is odd" in caplog.text
    for filled in (whole[:-2] + bytes(64) + END, whole + bytes(500), whole + whole):
        np.testing.assert_array_equal(decode_image(filled, "filled").rgb, opencv(whole))


def test_a_header_without_a_scan_is_refused() -> None:
    data = encode(scene())
    with pytest.raises(InvalidImageError, match=r"'h\.jpg' is truncated.*header"):
        decode_image(data[: scan_of(data) - 20], "h.jpg")


def test_without_simplejpeg_opencv_decodes_and_zeroed_bytes_are_still_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jpeg, "simplejpeg", None)
    data = encode(scene())
    np.testing.assert_array_equal(decode_image(data, "a").rgb, opencv(data))
    damaged = bytearray(data)
    damaged[scan_of(data) + 100 : scan_of(data) + 130] = bytes(30)
    for bad, reason in ((bytes(damaged), "zero"), (data[:-2], "end marker.*simplejpeg")):
        with pytest.raises(InvalidImageError, match=reason):
            decode_image(bad, "a")


def test_more_pixels_than_opencv_reads_are_refused_before_memory_is_taken() -> None:
    data = bytearray(encode(scene()))
    frame = data.find(b"\xff\xc0")
    data[frame + 5 : frame + 9] = b"\xfd\xe8\xfd\xe8"
    with pytest.raises(InvalidImageError, match=r"2\^30 pixels"):
        decode_image(bytes(data), "bomb.jpg")
