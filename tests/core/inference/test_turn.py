"""A picture of a turned camera is seen upright, and its answer lies in its own pixels, exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from affordance_grounding_core.actions.vocabulary import ActionVocabulary
from affordance_grounding_core.errors import InvalidImageError
from affordance_grounding_core.inference.grounder import Grounder, ModelInformation
from affordance_grounding_core.inference.looks import parse_looks
from affordance_grounding_core.inference.preprocess import Policy, Preprocess, PreprocessConfig
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.inference.result import GroundingResult
from affordance_grounding_core.inference.runtime import HeatRuntime, RuntimeReport
from affordance_grounding_core.inference.turn import (
    maps_as_taken,
    parse_image_turn,
    regions_as_taken,
    upright,
)
from affordance_grounding_core.loading import load_grounder

TURNS = (0, 90, 180, 270)


class KnowsUp(HeatRuntime):
    """Heat of what is red, less towards the bottom and the right: no turned picture is the same."""

    description = "knows up"

    def __init__(self) -> None:
        self.prepared: list[tuple[int, int]] = []

    def run(self, pixels: NDArray[np.float32], actions: Sequence[int]) -> NDArray[np.float32]:
        height, width = pixels.shape[1:]
        down, right = np.mgrid[0:height, 0:width].astype(np.float32)
        red = np.clip(0.2 + 0.3 * (pixels[0] - pixels[1]), 0, 1)
        heat = [red * (1 - 0.3 * down / height - 0.1 * right / width) for _ in actions]
        masks = [cv2.blur(one, (9, 5)) for one in heat]
        return np.stack([*heat, *masks]).astype(np.float32)

    def evaluation_maps(
        self, pixels: NDArray[np.float32], actions: Sequence[int]
    ) -> dict[str, NDArray[np.float32]]:
        return {"coarse": self.run(pixels, actions)[:, ::20, ::10]}

    def prepare(self, height: int, width: int, *, wait: bool = True) -> RuntimeReport | None:
        self.prepared.append((height, width))
        return None

    def close(self) -> None:
        pass


def grounder_of(
    turn: int = 0, looks: str = "1", policy: Policy = "aspect", runtime: HeatRuntime | None = None
) -> Grounder:
    grounder = Grounder(
        runtime or KnowsUp(),
        Preprocess(PreprocessConfig(policy, 112, 14)),
        ActionVocabulary(("hold", "pour"), {}),
        RegionConfig(threshold=0.3, mask_threshold=0.35, colour_weight=1.5),
        ModelInformation("knows up", "drawn", "0" * 64),
    )
    grounder.looks = parse_looks(looks)
    grounder.image_turn = parse_image_turn(turn)
    return grounder


def picture(height: int = 90, width: int = 140) -> NDArray[np.uint8]:
    """Noise, a slanted red bar and a red disc."""
    image = np.random.default_rng(4).integers(90, 130, (height, width, 3)).astype(np.uint8)
    cv2.line(image, (15, 20), (70, 45), (240, 30, 20), 11)
    cv2.circle(image, (width - 30, height - 25), 12, (220, 60, 40), -1)
    return image


def check_turned(found: GroundingResult, plain: GroundingResult, turn: int) -> None:
    """The answer of a picture that was turned clockwise is the plain one, turned clockwise."""
    back = -turn // 90
    np.testing.assert_array_equal(found.heatmap, np.rot90(plain.heatmap, back))
    np.testing.assert_array_equal(found.mask, np.rot90(plain.mask, back))
    assert found.heatmap.flags.c_contiguous
    assert (found.score, found.found) == (plain.score, plain.found)
    assert len(found.regions) == len(plain.regions)
    for mine, other in zip(found.regions, plain.regions, strict=True):
        whole = np.zeros(plain.mask.shape, np.bool_)
        box = other.box
        whole[box.y : box.y + box.height, box.x : box.x + box.width] = other.mask
        rows, columns = np.nonzero(np.rot90(whole, back))
        assert (mine.box.x, mine.box.y) == (columns.min(), rows.min())
        assert (mine.box.x + mine.box.width, mine.box.y + mine.box.height) == (
            columns.max() + 1,
            rows.max() + 1,
        )
        inside = found.mask[
            mine.box.y : mine.box.y + mine.box.height, mine.box.x : mine.box.x + mine.box.width
        ]
        assert np.array_equal(inside & mine.mask, mine.mask)
        assert (mine.area, mine.score) == (other.area, other.score)


@pytest.mark.parametrize("looks", ["1", "2"])
@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("policy", ["aspect", "squash", "letterbox"])
def test_a_turned_picture_has_the_turned_answer(policy: Policy, turn: int, looks: str) -> None:
    image = picture()
    plain = grounder_of(0, looks, policy).ground(image, "hold")
    assert len(plain.regions) == 2, "the bar and the disc, or nothing is compared"
    turned = np.rot90(image, -turn // 90)
    found = grounder_of(turn, looks, policy).ground(turned, "hold")
    check_turned(found, plain, turn)
    heat = grounder_of(turn, looks, policy).heatmaps(turned, ["pour", "hold"])
    np.testing.assert_array_equal(heat[1], found.heatmap)


@pytest.mark.parametrize("turn", TURNS[1:])
def test_without_the_turn_the_answer_is_another(turn: int) -> None:
    image = picture()
    plain = grounder_of().ground(image, "hold").heatmap
    found = grounder_of().ground(np.ascontiguousarray(np.rot90(image, -turn // 90)), "hold")
    assert np.abs(np.rot90(found.heatmap, turn // 90) - plain).max() > 0.05


@pytest.mark.parametrize("turn", TURNS)
def test_oriented_boxes_and_centres_are_those_of_the_turned_pixels(turn: int) -> None:
    """A turned box covers the turned corners, and a centre is the turned pixel."""
    plain = grounder_of().ground(picture(), "hold")
    found = grounder_of(turn).ground(np.rot90(picture(), -turn // 90), "hold")
    height, width = plain.mask.shape
    for mine, other in zip(found.regions, plain.regions, strict=True):
        x, y = other.centroid
        expected = {
            0: (x, y),
            90: (height - 1 - y, x),
            180: (width - 1 - x, height - 1 - y),
            270: (y, width - 1 - x),
        }[turn]
        assert mine.centroid == pytest.approx(expected)
        own, before = mine.oriented_box, other.oriented_box
        assert (own.length, own.width) == (before.length, before.width)
        assert -math.pi / 2 < own.angle <= math.pi / 2
        difference = own.angle - before.angle - math.radians(turn)
        assert math.sin(difference) == pytest.approx(0.0, abs=1e-9)


def test_a_turn_of_regions_goes_all_the_way_round() -> None:
    plain = grounder_of().ground(picture(), "hold")
    height, width = plain.mask.shape
    once = regions_as_taken(plain.regions, 90, height, width)
    round_about = regions_as_taken(once, 270, width, height)
    for mine, other in zip(round_about, plain.regions, strict=True):
        assert mine.box == other.box
        assert mine.centroid == pytest.approx(other.centroid)
        assert mine.oriented_box.angle == pytest.approx(other.oriented_box.angle)
        np.testing.assert_array_equal(mine.mask, other.mask)


@pytest.mark.parametrize("turn", TURNS)
def test_maps_of_papers_are_turned_back(turn: int) -> None:
    plain = grounder_of().evaluation_maps(picture(), ["hold", "pour"])["coarse"]
    turned = np.rot90(picture(), -turn // 90)
    found = grounder_of(turn).evaluation_maps(turned, ["hold", "pour"])["coarse"]
    np.testing.assert_array_equal(found, np.rot90(plain, -turn // 90, axes=(1, 2)))


@pytest.mark.parametrize("turn", TURNS)
def test_the_turned_size_is_prepared_ahead(turn: int) -> None:
    runtime = KnowsUp()
    grounder = grounder_of(turn, "2", runtime=runtime)
    grounder.warm_up(480, 640)
    sideways = turn in (90, 270)
    first, second = ((126, 98), (196, 140)) if sideways else ((98, 126), (140, 196))
    assert runtime.prepared == [second, first]
    geometry = grounder.geometry(480, 640)
    assert (geometry.input_height, geometry.input_width) == first


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.bool_])
def test_a_turn_and_back_changes_no_pixel(turn: int, kind: type) -> None:
    values = (np.random.default_rng(1).random((7, 5)) * 9).astype(kind)
    seen = upright(values, turn)
    np.testing.assert_array_equal(seen, np.rot90(values, turn // 90))
    assert seen.dtype == values.dtype
    np.testing.assert_array_equal(maps_as_taken(seen, turn), values)
    assert (seen is values) == (turn == 0), "an upright picture is not copied"


@pytest.mark.parametrize("turn", [45, -90, 360, "left", "", True, 90.5])
def test_another_turn_is_refused(turn: int | str) -> None:
    with pytest.raises(ValueError, match=r"image_turn must be one of \[0, 90, 180, 270\], the deg"):
        load_grounder("plsp-random", "eager", image_turn=turn)
    grounder = grounder_of()
    grounder.image_turn = turn  # type: ignore[assignment]
    with pytest.raises(ValueError, match="image_turn must be one of"):
        grounder.ground(picture(), "hold")


@pytest.mark.parametrize("turn", [270, "270"])
def test_a_model_is_loaded_with_its_turn(turn: int | str) -> None:
    grounder = load_grounder("plsp-random", "eager", image_turn=turn)
    assert grounder.image_turn == 270
    grounder.close()


def test_what_is_no_image_is_refused_before_it_is_turned() -> None:
    with pytest.raises(InvalidImageError, match="image must have shape"):
        grounder_of(90).ground(np.zeros((4, 5), np.uint8), "hold")
