"""What training and testing see of an image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from affordance_grounding_core.data.transforms import CropConfig, random_crop, squash

SMALL = CropConfig(resize=40, crop=32)


def normalised(image: Image.Image) -> torch.Tensor:
    values = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    return (values - mean) / torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 99))
def test_a_crop_is_a_window_of_the_image_with_its_shorter_side_resized(
    height: int, width: int, seed: int
) -> None:
    image = noise(height, width, seed)
    crop = random_crop(image, SMALL, (seed,))
    assert crop.shape == (3, 32, 32)
    torch.testing.assert_close(crop, random_crop(image, SMALL, (seed,)))
    scale = 40 / min(height, width)
    size = (max(40, int(width * scale)), max(40, int(height * scale)))
    whole = normalised(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    windows = torch.cat([whole, whole.flip(2)]).unfold(1, 32, 1).unfold(2, 32, 1)
    # Found by its first pixels, then compared as a whole.
    plain, mirrored = windows[:3], windows[3:]
    distance = torch.stack(
        [(view - crop[:, None, None]).abs().amax(dim=(0, 3, 4)) for view in (plain, mirrored)]
    )
    assert distance.min() < 1e-5


def test_crops_differ_and_half_of_them_are_mirrored() -> None:
    ramp = np.repeat(np.arange(0, 250, 5, np.uint8)[None, :, None], 50, 0).repeat(3, 2)
    crops = [random_crop(ramp, SMALL, (0, number)) for number in range(200)]
    mirrored = sum(bool(crop[0, 0, 0] > crop[0, 0, -1]) for crop in crops)
    assert 70 < mirrored < 130
    assert len({tuple(crop[0, 0].tolist()) for crop in crops}) > 10
    never = CropConfig(40, 32, flip=0.0)
    assert all(
        c[0, 0, 0] < c[0, 0, -1] for c in (random_crop(ramp, never, (n,)) for n in range(20))
    )


def test_testing_squashes_the_whole_image() -> None:
    image = noise(50, 90)
    expected = normalised(Image.fromarray(image).resize((28, 28), Image.Resampling.BILINEAR))
    torch.testing.assert_close(squash(image, 28), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resize": 200, "crop": 224}, "crop 224 and resize 200"),
        ({"crop": 0}, "crop must lie"),
        ({"flip": 1.5}, "flip must lie"),
    ],
)
def test_impossible_crops_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CropConfig(**options)  # type: ignore[arg-type]
