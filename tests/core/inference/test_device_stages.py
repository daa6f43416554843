"""What a GPU does before and after the network is what the processor does, tried on the latter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from affordance_grounding_core.actions.vocabulary import ActionVocabulary
from affordance_grounding_core.inference.device_stages import DeviceStages
from affordance_grounding_core.inference.grounder import Grounder, ModelInformation
from affordance_grounding_core.inference.network import GroundingNetwork
from affordance_grounding_core.inference.preprocess import Policy, Preprocess, PreprocessConfig
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.runtimes.eager import EagerRuntime

PROCESSOR = torch.device("cpu")
SIZES = [(480, 640), (90, 120), (333, 517), (40, 300), (57, 64), (56, 56)]
POLICIES: Sequence[Policy] = ("squash", "letterbox", "aspect")


def picture(height: int, width: int) -> np.ndarray:
    """Soft shapes with some noise, and one row of the extreme values."""
    random = np.random.default_rng(height)
    rows, columns = np.mgrid[:height, :width]
    waves = 120 + 100 * np.sin(rows / 17)[..., None] * np.cos(columns[..., None] / [11, 23, 31])
    noisy = np.clip(waves + random.normal(0, 20, (height, width, 3)), 0, 255)
    noisy[0] = 0
    noisy[-1] = 255
    return noisy.astype(np.uint8)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_pixels_are_those_of_the_processor(height: int, width: int, policy: Policy) -> None:
    preprocess = Preprocess(PreprocessConfig(policy, 56, 14))
    image = picture(height, width)
    expected, expected_geometry = preprocess(image)
    pixels, geometry = DeviceStages(preprocess, PROCESSOR).to_pixels(image)
    assert geometry == expected_geometry
    assert pixels.shape == (1, *expected.shape)
    level = 1 / (255 * np.asarray(preprocess.config.std, np.float32)).reshape(3, 1, 1)
    levels = np.abs(pixels[0].numpy() - expected) / level
    assert levels.max() < 1.001, "one grey level at most"
    by_area = geometry.height <= height and geometry.width <= width
    # Between two pixels OpenCV computes in whole numbers, and rounds otherwise more often.
    assert (levels > 0.5).mean() < (0.002 if by_area else 0.15)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_heat_comes_back_to_the_same_pixels(height: int, width: int, policy: Policy) -> None:
    preprocess = Preprocess(PreprocessConfig(policy, 56, 14))
    geometry = preprocess.geometry(height, width)
    heat = np.random.default_rng(1).random((2, 7, 9), np.float32)
    maps = DeviceStages(preprocess, PROCESSOR).to_image(torch.from_numpy(heat), geometry)
    expected = np.stack([preprocess.heat_to_image(one, geometry) for one in heat])
    assert maps.is_finite
    assert maps.values.dtype == np.float32
    np.testing.assert_allclose(maps.values, expected, atol=2e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_value_that_is_not_finite_is_told(value: float) -> None:
    preprocess = Preprocess(PreprocessConfig())
    heat = torch.zeros(1, 4, 4)
    heat[0, 3, 3] = value
    maps = DeviceStages(preprocess, PROCESSOR).to_image(heat, preprocess.geometry(30, 40))
    assert not maps.is_finite


class Bright(GroundingNetwork):
    """Heat of an action is how bright a place is in one channel."""

    answers_all_at_once = True

    def forward(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.raw_maps(pixels, actions))

    def raw_maps(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(pixels, 14)[0].index_select(0, actions) * 2

    def settings(self) -> dict[str, object]:
        return {}


def grounder_of(stages_on_device: bool) -> Grounder:
    return Grounder(
        EagerRuntime(Bright(), "cpu", stages_on_device=stages_on_device),
        Preprocess(PreprocessConfig("aspect", 112, 14)),
        ActionVocabulary(("hold", "hit", "pour"), {}),
        RegionConfig(minimum_area=0.01),
        ModelInformation("bright", "drawn", "0" * 64),
    )


def test_heat_and_regions_are_those_of_the_processor_within_a_thousandth() -> None:
    image = picture(120, 160)
    ours, expected = (
        grounder_of(on_device).ground_several(image, ["pour", "hold"])
        for on_device in (True, False)
    )
    for one, other in zip(ours, expected, strict=True):
        np.testing.assert_allclose(one.heatmap, other.heatmap, atol=1e-3)
        assert (one.mask != other.mask).mean() < 0.002
        assert len(one.regions) == len(other.regions) >= 1
        for region, wanted in zip(one.regions, other.regions, strict=True):
            assert region.centroid == pytest.approx(wanted.centroid, abs=0.5)
            assert region.area == pytest.approx(wanted.area, rel=0.02)


def test_results_do_not_share_memory() -> None:
    grounder = grounder_of(stages_on_device=True)
    first = grounder.heatmaps(picture(120, 160), ["hold"])
    kept = first.copy()
    grounder.heatmaps(255 - picture(120, 160), ["hold"])
    np.testing.assert_array_equal(first, kept)


def test_on_a_processor_opencv_resizes_unless_asked_otherwise() -> None:
    preprocess = Preprocess(PreprocessConfig())
    assert EagerRuntime(Bright(), "cpu").stages(preprocess) is None
    assert EagerRuntime(Bright(), "cpu", stages_on_device=True).stages(preprocess) is not None
