"""Image and label go the same way: squash, crop, mirror, mosaic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affordance_grounding_core.methods.plsp.samples import (
    PartSample,
    Person,
    PlspViewConfig,
    draw_view,
    irrelevant_images,
    view_image,
    view_label,
)

CONFIG = PlspViewConfig(resize=48, crop=40, flip=0.5, mosaic=0.5)


def blob(height: int, width: int, row: float, column: float) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    across = ((y / height - row) ** 2 + (x / width - column) ** 2) / 0.02
    return np.exp(-across).astype(np.float32)


def centre(values: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[0 : values.shape[0], 0 : values.shape[1]]
    total = values.sum(dtype=np.float64)
    return np.array([(y * values).sum() / total, (x * values).sum() / total])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    height=st.integers(40, 130),
    width=st.integers(40, 130),
    row=st.floats(0.3, 0.7),
    column=st.floats(0.3, 0.7),
)
def test_image_and_label_stay_aligned(
    seed: int, height: int, width: int, row: float, column: float
) -> None:
    label = blob(height, width, row, column)
    image = np.repeat(np.rint(255 * label).astype(np.uint8)[..., None], 3, axis=2)
    plan = draw_view(CONFIG, 3, np.random.default_rng(seed))
    black = [np.zeros((50, 70, 3), np.uint8)] * len(plan.companions)
    seen = view_image(plan, CONFIG, image, black)
    target = view_label(plan, CONFIG, label)
    assert seen.shape == (40, 40, 3)
    assert target.shape == (40, 40)
    assert target.dtype == np.float32
    assert target.sum() == pytest.approx(1.0, abs=1e-4)
    # The image is sampled by area where it shrinks, the label bilinearly; both are centred.
    assert np.abs(centre(seen[..., 0].astype(np.float32)) - centre(target)).max() < 0.75
    peak = np.unravel_index(int(seen[..., 0].argmax()), seen.shape[:2])
    assert target[peak] > 0.7 * target.max()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_mosaic_has_the_label_in_one_tile(seed: int) -> None:
    config = PlspViewConfig(resize=48, crop=40, mosaic=1.0)
    plan = draw_view(config, 5, np.random.default_rng(seed))
    assert plan.tile is not None
    assert len(plan.companions) == 3
    colours = [np.full((30, 30, 3), 50 * (i + 1), np.uint8) for i in range(3)]
    seen = view_image(plan, config, np.full((60, 60, 3), 255, np.uint8), colours)
    tiles = [seen[r : r + 20, c : c + 20] for r in (0, 20) for c in (0, 20)]
    assert [int(tile.mean()) for tile in tiles].index(255) == plan.tile
    assert sorted(int(tile.mean()) for tile in tiles) == [50, 100, 150, 255]
    target = view_label(plan, config, np.ones((60, 60), np.float32))
    shares = [target[r : r + 20, c : c + 20].sum() for r in (0, 20) for c in (0, 20)]
    assert shares[plan.tile] == pytest.approx(1.0, abs=1e-4)


def test_a_label_outside_the_crop_becomes_even() -> None:
    config = PlspViewConfig(resize=64, crop=32, flip=0.0, mosaic=0.0)
    plan = draw_view(config, 0, np.random.default_rng(0))
    label = view_label(plan, config, np.zeros((64, 64), np.float32))
    np.testing.assert_allclose(label, 1 / 32**2, rtol=1e-5)


def test_no_companions_no_mosaic() -> None:
    config = PlspViewConfig(mosaic=1.0)
    assert draw_view(config, 0, np.random.default_rng(3)).tile is None


def test_the_same_numbers_are_drawn_whatever_comes_out() -> None:
    states = []
    for mosaic in (0.0, 1.0):
        random = np.random.default_rng(7)
        draw_view(PlspViewConfig(mosaic=mosaic), 4, random)
        states.append(random.random())
    assert states[0] == states[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": 225}, "crop must be even"),
        ({"crop": 300}, "lie in .2, resize."),
        ({"flip": 1.5}, r"flip must lie in \[0, 1\], got 1.5"),
    ],
)
def test_impossible_views_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PlspViewConfig(**options)


def test_patches_are_those_that_a_box_touches() -> None:
    from pathlib import Path

    person = Person(Path("p.jpg"), (0.26, 0.5, 0.5, 0.76))
    expected = np.zeros((4, 4))
    expected[2:4, 1] = 1
    np.testing.assert_array_equal(person.patches(4, 4).reshape(4, 4), expected)
    assert Person(Path("p.jpg")).patches(3, 5).sum() == 15
    corner = Person(Path("p.jpg"), (1.0, 1.0, 1.0, 1.0)).patches(4, 4).reshape(4, 4)
    assert corner.sum() == corner[3, 3] == 1


def test_mosaics_show_objects_without_a_common_action() -> None:
    from pathlib import Path

    pairs = [("hold", "mug"), ("drink_with", "mug"), ("hold", "hammer"), ("press", "panel")]
    samples = [PartSample(Path(n), a, n, Path(n)) for a, n in pairs]
    found = irrelevant_images(samples)
    mug, hammer, panel = Path("mug"), Path("hammer"), Path("panel")
    assert found == {"mug": (panel,), "hammer": (panel,), "panel": (mug, mug, hammer)}
    assert irrelevant_images(samples[:3]) == {"mug": (hammer,), "hammer": (mug, mug)}
    assert irrelevant_images(samples[3:]) == {"panel": ()}
