from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from affordance_grounding_core.methods.action_head.config import ViewConfig
from affordance_grounding_core.methods.action_head.views import plan_view, view_image, view_label

STILL = ViewConfig(brightness=0, colour_shift=0, blur=0, noise=0, grey=0)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), number=st.integers(0, 5), height=st.integers(80, 200))
def test_label_stays_on_the_part(seed: int, number: int, height: int) -> None:
    """What is painted is what is labelled, whatever the view."""
    image = np.zeros((height, 160, 3), np.uint8)
    image[height // 3 : height // 3 + 30, 60:100] = 255
    label = (image[..., 0] > 0).astype(np.float32)
    view = plan_view(height, 160, 112, number, STILL, (seed,))
    seen = view_image(image, view, STILL)[..., 0] / 255
    cells = seen.reshape(8, 14, 8, 14).mean(axis=(1, 3))
    np.testing.assert_allclose(view_label(label, view, 8), cells, atol=0.02)


def test_views_are_decided_by_their_seed() -> None:
    image = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    config = ViewConfig()

    def seen(seed: int, number: int) -> bytes:
        return view_image(image, plan_view(90, 90, 56, number, config, (seed,)), config).tobytes()

    assert seen(1, 2) == seen(1, 2)
    assert len({seen(1, 1), seen(1, 2), seen(2, 1)}) == 3
    assert seen(1, 0) == seen(2, 0)
