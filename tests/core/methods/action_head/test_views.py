from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from affordance_grounding_core.methods.action_head.config import ViewConfig
from affordance_grounding_core.methods.action_head.views import plan_view, view_image, view_label

STILL = ViewConfig(brightness=0, colour_shift=0, blur=0, noise=0, grey=0)
CLOSE = replace(
    STILL, natural_aspect=True, turns=0.5, minimum_scale=0.4, maximum_scale=2.5, follow_parts=True
)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    number=st.integers(0, 5),
    height=st.integers(80, 200),
    config=st.sampled_from([STILL, CLOSE]),
)
def test_label_stays_on_the_part(seed: int, number: int, height: int, config: ViewConfig) -> None:
    """What is painted is what is labelled, whatever the view."""
    image = np.zeros((height, 160, 3), np.uint8)
    image[height // 3 : height // 3 + 30, 60:100] = 255
    label = (image[..., 0] > 0).astype(np.float32)
    view = plan_view(height, 160, 112, number, config, (seed,))
    seen = view_image(image, view, config)[..., 0] / 255
    cells = seen.reshape(8, 14, 8, 14).mean(axis=(1, 3))
    seen_label = view_label(label, view).reshape(8, 14, 8, 14).mean(axis=(1, 3))
    np.testing.assert_allclose(seen_label, cells, atol=0.02)


def test_views_are_decided_by_their_seed() -> None:
    image = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    config = ViewConfig()

    def seen(seed: int, number: int) -> bytes:
        return view_image(image, plan_view(90, 90, 56, number, config, (seed,)), config).tobytes()

    assert seen(1, 2) == seen(1, 2)
    assert len({seen(1, 1), seen(1, 2), seen(2, 1)}) == 3
    assert seen(1, 0) == seen(2, 0)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    x=st.floats(0.05, 0.95),
    y=st.floats(0.05, 0.95),
    height=st.integers(80, 200),
)
def test_a_crop_keeps_its_focus_in_view(seed: int, x: float, y: float, height: int) -> None:
    config = replace(CLOSE, minimum_scale=0.3, maximum_scale=0.5)
    view = plan_view(height, 160, 112, 1, config, (seed,), (x, y))
    assert view.matrix is not None
    linear, offset = view.matrix[:, :2], view.matrix[:, 2]
    place = np.linalg.solve(linear, np.array([x * 160, y * height]) - offset)
    assert (place > -0.5).all()
    assert (place < 111.5).all()


def test_turned_views_look_in_all_four_directions() -> None:
    config = replace(CLOSE, turns=1.0, rotation=0.0, aspect=0.0)
    directions = set()
    for seed in range(40):
        matrix = plan_view(100, 100, 56, 1, config, (seed,)).matrix
        assert matrix is not None
        directions.add(tuple(np.sign(np.rint(matrix[:, :2] * 100)).ravel()))
    assert len(directions) == 6  # three turns, each mirrored or not


def test_natural_views_keep_squares_square() -> None:
    config = replace(CLOSE, aspect=0.0)
    matrix = plan_view(90, 300, 112, 1, config, (7,)).matrix
    assert matrix is not None
    across, down = np.linalg.norm(matrix[:, :2], axis=0)
    assert abs(across - down) < 1e-9


def test_spoiled_pictures_differ_and_are_decided_by_their_seed() -> None:
    image = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    for spoiled in (
        replace(STILL, tint=0.4),
        replace(STILL, darkness=1.0),
        replace(STILL, compression=1.0),
    ):
        view = plan_view(90, 90, 56, 1, spoiled, (3,))
        plain = view_image(image, view, STILL)
        seen = view_image(image, view, spoiled)
        assert not np.array_equal(plain, seen)
        np.testing.assert_array_equal(seen, view_image(image, view, spoiled))
