from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affordance_grounding_core.inference.preprocess import (
    Policy,
    Preprocess,
    PreprocessConfig,
    resize_image,
)

POLICIES = ["squash", "letterbox", "aspect"]
SIZES = st.integers(8, 700)


@pytest.mark.parametrize("policy", POLICIES)
@settings(deadline=None, max_examples=60)
@given(height=SIZES, width=SIZES, x=st.floats(0, 1), y=st.floats(0, 1))
def test_spike_comes_back_within_one_patch(
    policy: str, height: int, width: int, x: float, y: float
) -> None:
    preprocess = Preprocess(PreprocessConfig(policy=policy, size=224, mean=(0.0, 0.0, 0.0)))
    row, column = min(int(y * height), height - 1), min(int(x * width), width - 1)
    image = np.zeros((height, width, 3), np.uint8)
    reach_y, reach_x = max(1, height // 40), max(1, width // 40)
    image[
        max(0, row - reach_y) : row + reach_y + 1, max(0, column - reach_x) : column + reach_x + 1
    ] = 255
    spike = np.argwhere(image[..., 0] > 0).mean(axis=0)

    pixels, geometry = preprocess(image)
    rows, columns = pixels.shape[1] // 14, pixels.shape[2] // 14
    heat = pixels[0].reshape(rows, 14, columns, 14).mean(axis=(1, 3))
    back = preprocess.heat_to_image(heat / heat.max(), geometry)

    hottest = np.argwhere(back >= back.max() - 1e-6).mean(axis=0)
    patch = np.array([14 * height / geometry.height, 14 * width / geometry.width])
    assert back.shape == (height, width)
    assert (np.abs(hottest - spike) <= patch + 1).all()


@pytest.mark.parametrize("policy", POLICIES)
@settings(deadline=None, max_examples=40)
@given(height=SIZES, width=SIZES, slope_x=st.floats(-0.4, 0.4), slope_y=st.floats(-0.4, 0.4))
def test_a_plane_of_heat_is_the_same_plane_in_the_image(
    policy: str, height: int, width: int, slope_x: float, slope_y: float
) -> None:
    """Bilinear interpolation is exact on planes, so any shift or scale error would show."""
    preprocess = Preprocess(PreprocessConfig(policy=policy, size=224))
    geometry = preprocess.geometry(height, width)
    rows, columns = geometry.input_height // 14, geometry.input_width // 14
    cell_y = ((np.arange(rows) + 0.5) * 14 - geometry.top) / geometry.height
    cell_x = ((np.arange(columns) + 0.5) * 14 - geometry.left) / geometry.width
    heat = 0.5 + slope_y * (cell_y[:, None] - 0.5) + slope_x * (cell_x[None] - 0.5)
    heat = heat.astype(np.float32)

    back = preprocess.heat_to_image(heat, geometry)

    pixel_y, pixel_x = (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width
    inside_y = (pixel_y >= cell_y[0]) & (pixel_y <= cell_y[-1])
    inside_x = (pixel_x >= cell_x[0]) & (pixel_x <= cell_x[-1])
    expected = 0.5 + slope_y * (pixel_y[:, None] - 0.5) + slope_x * (pixel_x[None] - 0.5)
    inside = inside_y[:, None] & inside_x[None]
    np.testing.assert_allclose(back[inside], np.clip(expected, 0, 1)[inside], atol=1e-4)


@pytest.mark.parametrize("policy", POLICIES)
@settings(deadline=None, max_examples=40)
@given(height=SIZES, width=SIZES, rows=st.integers(1, 40), columns=st.integers(1, 40))
def test_heat_in_the_image_is_what_the_bilinear_weights_say(
    policy: Policy, height: int, width: int, rows: int, columns: int
) -> None:
    preprocess = Preprocess(PreprocessConfig(policy=policy))
    geometry = preprocess.geometry(height, width)
    heat = np.random.default_rng(0).random((rows, columns), np.float32)
    weights_y, weights_x = (
        weights.astype(np.float64) for weights in geometry.heat_weights(rows, columns)
    )
    np.testing.assert_allclose(
        preprocess.heat_to_image(heat, geometry), weights_y @ heat @ weights_x, atol=1e-5
    )


SPINNING = """
import sys, time
import numpy as np
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig

preprocess = Preprocess(PreprocessConfig(policy=sys.argv[1]))
geometry = preprocess.geometry(480, 640)
time.sleep(0.5)  # threads that have just been started spin as well
busy = 0
for _ in range(10):
    preprocess.heat_to_image(np.ones((16, 16), np.float32), geometry)
    used = time.process_time()
    time.sleep(0.02)
    busy += time.process_time() - used > 0.01
print(busy)
"""


@pytest.mark.parametrize("policy", POLICIES)
def test_no_thread_goes_on_computing_after_the_heat_is_there(policy: str) -> None:
    """A linear algebra library's threads once took a core from the network, all the time."""
    outcome = subprocess.run(
        [sys.executable, "-c", SPINNING, policy],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert int(outcome.stdout) <= 2


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (3, 5), (1080, 1920)])
def test_extreme_shapes_give_whole_patches_and_come_back(
    policy: str, shape: tuple[int, int]
) -> None:
    preprocess = Preprocess(PreprocessConfig(policy=policy, size=448))
    pixels, geometry = preprocess(np.full((*shape, 3), 200, np.uint8))
    assert pixels.shape[1] % 14 == 0
    assert pixels.shape[2] % 14 == 0
    assert pixels.dtype == np.float32
    back = preprocess.heat_to_image(np.ones((4, 4), np.float32), geometry)
    assert back.shape == shape
    np.testing.assert_allclose(back, 1.0, atol=1e-6)


def test_aspect_keeps_the_shape_and_the_number_of_patches() -> None:
    geometry = Preprocess(PreprocessConfig(policy="aspect", size=224)).geometry(480, 640)
    assert (geometry.input_height, geometry.input_width) == (14 * 14, 18 * 14)


def test_letterbox_pads_with_the_mean_colour() -> None:
    pixels, geometry = Preprocess(PreprocessConfig(policy="letterbox"))(
        np.full((100, 200, 3), 255, np.uint8)
    )
    assert (geometry.top, geometry.height) == (56, 112)
    assert not pixels[:, :56].any()
    assert (pixels[:, 56:168] > 1).all()


def test_normalisation_is_that_of_imagenet() -> None:
    pixels, _ = Preprocess(PreprocessConfig())(np.full((10, 10, 3), 255, np.uint8))
    np.testing.assert_allclose(
        pixels[:, 0, 0], (1 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225], rtol=1e-5
    )


def test_resize_of_the_same_size_is_the_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    assert resize_image(image, 20, 30) is image


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"size": 225}, "multiple of the patch size 14, got 225; nearest: 224"),
        ({"policy": "crop"}, "policy must be one of"),
        ({"std": (1.0, 0.0, 1.0)}, "std above 0"),
    ],
)
def test_impossible_configs_say_why(options: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        PreprocessConfig(**options)  # type: ignore[arg-type]
