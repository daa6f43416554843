"""Pictures for calibration and gate: enough, real, and never the same for both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from affordance_grounding_core.errors import InvalidImageError
from affordance_grounding_core.images import write_png
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.runtimes.gate import MINIMUM_FRAMES, network_inputs, read_frames


def test_the_package_brings_enough_pictures() -> None:
    frames = read_frames()
    assert len(frames.gate) >= MINIMUM_FRAMES
    assert len(frames.calibration) >= MINIMUM_FRAMES
    assert len({one.tobytes() for one in frames.gate}) == len(frames.gate)
    for one in frames.gate:
        assert one.std() > 5, "a picture without content proves nothing"


def test_nothing_is_gated_on_what_it_was_calibrated_on(tmp_path: Path) -> None:
    for index in range(8):
        write_png(tmp_path / f"{index}.png", np.full((20, 30, 3), index, np.uint8))
    frames = read_frames(tmp_path)
    gate = {int(one[0, 0, 0]) for one in frames.gate}
    calibration = {int(one[0, 0, 0]) for one in frames.calibration}
    assert gate | calibration == set(range(8))
    assert not gate & calibration


def test_other_pictures_have_another_fingerprint(tmp_path: Path) -> None:
    for index in range(8):
        write_png(tmp_path / f"{index}.png", np.full((20, 30, 3), index, np.uint8))
    before = read_frames(tmp_path).fingerprint
    write_png(tmp_path / "3.png", np.full((20, 30, 3), 200, np.uint8))
    assert read_frames(tmp_path).fingerprint != before


@pytest.mark.parametrize("count", [0, 7])
def test_too_few_pictures_are_refused(tmp_path: Path, count: int) -> None:
    for index in range(count):
        write_png(tmp_path / f"{index}.png", np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(InvalidImageError, match=f"holds {count} image files, the gate needs 8"):
        read_frames(tmp_path)
    with pytest.raises(InvalidImageError, match="holds 0 image files"):
        read_frames(tmp_path / "absent")


@pytest.mark.parametrize(("height", "width"), [(56, 56), (42, 84), (84, 42)])
def test_inputs_are_what_preprocessing_makes_of_pictures(height: int, width: int) -> None:
    config = PreprocessConfig(policy="squash", size=56)
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (height, width, 3), np.uint8)
    (made,) = network_inputs([image], config, height, width)
    assert made.shape == (1, 3, height, width)
    assert made.dtype == np.float32
    assert made.flags.c_contiguous
    if height == width:
        expected, _ = Preprocess(config)(image)
        np.testing.assert_allclose(made[0], expected, atol=1e-5)


def test_the_middle_is_cut_and_nothing_is_stretched() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[:, 50:150] = 255
    config = PreprocessConfig(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    (made,) = network_inputs([image], config, 28, 28)
    np.testing.assert_allclose(made, 1.0, atol=1e-5)
