"""Both segmenters, with tiny random weights, against transformers' own way of using them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from affordance_grounding_core.errors import WeightsError
from affordance_grounding_core.labelling.segmenters.base import (
    PartSegmenter,
    Segmentation,
    SelectionRule,
    clip_boxes,
)
from affordance_grounding_core.labelling.segmenters.factory import load_segmenter
from affordance_grounding_core.labelling.segmenters.grounding_dino_sam2 import (
    GroundingDinoSam2Segmenter,
)
from affordance_grounding_core.labelling.segmenters.models import (
    HUB_MODELS,
    SAM3,
    HubModel,
    ModelSource,
    parse_revisions,
)
from affordance_grounding_core.labelling.segmenters.sam3 import Sam3Segmenter

Pictures = list[NDArray[np.uint8]]
PROMPTS = [[("cup handle",), ("cup",)], [("bicycle seat", "bicycle pedal")]]


@pytest.fixture(params=["sam3", "grounding_dino_sam2"])
def segmenter(request: pytest.FixtureRequest) -> PartSegmenter:
    chosen: PartSegmenter = request.getfixturevalue(request.param)
    return chosen


def assert_same(ours: Segmentation, other: Segmentation) -> None:
    np.testing.assert_allclose(ours.scores, other.scores, atol=1e-5)
    np.testing.assert_allclose(ours.boxes, other.boxes, atol=1e-3)
    assert (ours.masks != other.masks).mean() < 0.01


def test_every_set_of_phrases_has_an_answer_of_the_pictures_size(
    segmenter: PartSegmenter, pictures: Pictures
) -> None:
    answers = segmenter.segment(pictures, PROMPTS)
    assert [len(groups) for groups in answers] == [2, 1]
    for image, groups in zip(pictures, answers, strict=True):
        for answer in groups:
            assert answer.problem(*image.shape[:2]) is None
            assert len(answer.scores) >= 1
            assert list(answer.scores) == sorted(answer.scores, reverse=True)


def test_a_picture_has_the_same_answer_alone_and_in_a_batch(
    segmenter: PartSegmenter, pictures: Pictures
) -> None:
    together = segmenter.segment(pictures, PROMPTS)
    for index, image in enumerate(pictures):
        (alone,) = segmenter.segment([image], [PROMPTS[index]])
        for ours, other in zip(together[index], alone, strict=True):
            assert_same(ours, other)


def test_no_question_no_answer(segmenter: PartSegmenter, pictures: Pictures) -> None:
    assert segmenter.segment(pictures, [[], []]) == [[], []]


def test_a_segmenter_that_finds_nothing_says_so(
    sam3: Sam3Segmenter, grounding_dino_sam2: GroundingDinoSam2Segmenter, pictures: Pictures
) -> None:
    strict = SelectionRule(score=1 - 1e-9, minimum=1 - 1e-9)
    prompts = [[("cup handle",), ("cup",)]]
    for found in (
        Sam3Segmenter(sam3.model, sam3.processor, strict).segment(pictures[:1], prompts),
        GroundingDinoSam2Segmenter(
            grounding_dino_sam2.detector,
            grounding_dino_sam2.detector_processor,
            grounding_dino_sam2.outliner,
            grounding_dino_sam2.outliner_processor,
            strict,
        ).segment(pictures[:1], prompts),
    ):
        assert [[len(answer.scores) for answer in groups] for groups in found] == [[0, 0]]
        assert found[0][0].problem(40, 60) is None


@torch.no_grad()
def test_sam3_is_used_as_transformers_documents_it(sam3: Sam3Segmenter, pictures: Pictures) -> None:
    image = pictures[0]
    inputs = sam3.processor(images=image, text="cup handle", return_tensors="pt")
    (expected,) = sam3.processor.post_process_instance_segmentation(
        sam3.model(**inputs), threshold=0.0, target_sizes=[image.shape[:2]]
    )
    every = Sam3Segmenter(sam3.model, sam3.processor, SelectionRule(1e-9, 1e-9))
    ((answer,),) = every.segment([image], [[("cup handle",)]])
    order = expected["scores"].argsort(descending=True)
    assert_same(
        answer,
        Segmentation(
            clip_boxes(expected["boxes"][order].numpy(), *image.shape[:2]),
            expected["scores"][order].numpy(),
            expected["masks"][order].bool().numpy(),
        ),
    )


@torch.no_grad()
def test_boxes_and_masks_are_those_of_transformers(
    grounding_dino_sam2: GroundingDinoSam2Segmenter, pictures: Pictures
) -> None:
    ours, image = grounding_dino_sam2, pictures[0]
    detect, outline = ours.detector_processor, ours.outliner_processor
    inputs = detect(images=image, text="cup handle. cup.", return_tensors="pt")
    (found,) = detect.post_process_grounded_object_detection(
        ours.detector(**inputs), inputs["input_ids"], threshold=0.5, target_sizes=[image.shape[:2]]
    )
    order = found["scores"].argsort(descending=True)
    boxes = clip_boxes(found["boxes"][order].numpy(), *image.shape[:2])
    prompt = outline(images=image, input_boxes=[boxes.tolist()], return_tensors="pt")
    masks = outline.post_process_masks(
        ours.outliner(**prompt, multimask_output=False).pred_masks, prompt["original_sizes"]
    )[0][:, 0]
    ((answer,),) = ours.segment([image], [[("Cup handle", "cup")]])
    assert_same(answer, Segmentation(boxes, found["scores"][order].numpy(), masks.numpy()))


@given(scores=st.lists(st.floats(0, 1, width=32), max_size=12))
def test_the_rule_takes_all_good_ones_or_else_the_best(scores: list[float]) -> None:
    given_scores = np.array(scores, np.float32)
    chosen = SelectionRule(score=0.5, minimum=0.05).choose(given_scores)
    values = given_scores[chosen]
    good = given_scores > 0.5
    if good.any():
        assert set(chosen) == set(np.flatnonzero(good))
    elif len(scores) and given_scores.max() > np.float32(0.05):
        assert len(chosen) == 1
        assert values[0] == given_scores.max()
    else:
        assert len(chosen) == 0
    assert list(values) == sorted(values, reverse=True)


def test_a_score_that_is_no_number_never_counts() -> None:
    scores = np.array([np.nan, 0.3, np.nan, 0.2], np.float32)
    assert list(SelectionRule().choose(scores)) == [1]
    assert not len(SelectionRule().choose(np.full(3, np.nan, np.float32)))


@pytest.mark.parametrize(("score", "minimum"), [(0.5, 0.6), (1.0, 0.0), (0.5, -0.1)])
def test_a_rule_must_make_sense(score: float, minimum: float) -> None:
    with pytest.raises(ValueError, match="0 <= minimum <= score < 1"):
        SelectionRule(score, minimum)


def test_answers_of_another_size_are_noticed() -> None:
    answer = Segmentation(
        np.zeros((1, 4), np.float32), np.ones(1, np.float32), np.zeros((1, 10, 10), np.bool_)
    )
    assert answer.problem(10, 10) is None
    assert "masks of shape (1, 10, 10) and type bool for an image of 20 x 10 px" in str(
        answer.problem(20, 10)
    )
    boxes = Segmentation(np.full((1, 4), np.nan, np.float32), answer.scores, answer.masks)
    assert "not finite" in str(boxes.problem(10, 10))
    assert "expected (K, 4) and (K,)" in str(
        Segmentation(np.zeros((2, 4), np.float32), answer.scores, answer.masks).problem(10, 10)
    )


def test_models_are_pinned_to_commits() -> None:
    assert len(HUB_MODELS) == 4
    assert all(len(model.revision) == 40 for model in HUB_MODELS.values())
    with pytest.raises(WeightsError, match=r"must be a commit hash .* got 'main'"):
        HubModel("facebook/sam3", "main", "SAM License")


@pytest.mark.parametrize("name", ["sam3", "grounding-dino+sam2"])
def test_models_load_from_a_folder(name: str, model_folder: Path, pictures: Pictures) -> None:
    loaded = load_segmenter(name, ModelSource(model_folder), SelectionRule(0.5, 0.0))  # type: ignore[arg-type]
    assert loaded.identity["segmenter"] == name
    assert SAM3.identity in loaded.identity["model"] or "grounding-dino" in loaded.identity["model"]
    ((answer,),) = loaded.segment(pictures[:1], [[("cup",)]])
    assert answer.problem(40, 60) is None


def test_what_cannot_be_loaded_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WeightsError, match=r"has no facebook/sam3; .*hf download facebook/sam3"):
        load_segmenter("sam3", ModelSource(tmp_path), SelectionRule())
    (tmp_path / "facebook" / "sam3").mkdir(parents=True)
    with pytest.raises(WeightsError, match=r"sam3@3c87.* cannot be loaded .*gated: accept its"):
        load_segmenter("sam3", ModelSource(tmp_path), SelectionRule())


def test_a_commit_that_the_hub_refuses_is_one_error() -> None:
    asked: dict[str, object] = {}

    def refuse(name: str, **options: object) -> None:
        asked.update(options, name=name)
        raise OSError("We couldn't connect to the hub\nmore lines")

    other = "0" * 40
    source = ModelSource(revisions={"facebook/sam3": other})
    with pytest.raises(WeightsError, match=rf"facebook/sam3@{other} .*couldn't connect to the hub"):
        source.load(SAM3, refuse)
    assert asked == {"name": "facebook/sam3", "revision": other}


@pytest.mark.parametrize("text", ["facebook/sam3", "facebook/sam3=main", "=" + "0" * 40 + "x"])
def test_revisions_of_the_command_line(text: str) -> None:
    with pytest.raises(WeightsError, match="expected OWNER/REPOSITORY=COMMIT"):
        parse_revisions([text])
    assert parse_revisions([f"facebook/sam3={'a' * 40}"]) == {"facebook/sam3": "a" * 40}
    with pytest.raises(WeightsError, match="unknown models"):
        ModelSource(revisions={"someone/else": "a" * 40})


def test_identity_tells_rules_apart(sam3: Sam3Segmenter) -> None:
    other = Sam3Segmenter(sam3.model, sam3.processor, SelectionRule(0.4), "tiny")
    assert other.identity != sam3.identity
    assert isinstance(sam3.identity, dict)


def test_boxes_stay_inside(pictures: Sequence[NDArray[np.uint8]]) -> None:
    boxes = clip_boxes(np.array([[-5, 3, 900, 20]], np.float32), 33, 21)
    assert boxes.tolist() == [[0, 3, 21, 20]]
