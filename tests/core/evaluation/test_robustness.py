from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from affordance_grounding_core.data.agd20k import read_evaluation_set
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.evaluation.protocols import LocateProtocol
from affordance_grounding_core.evaluation.robustness import (
    PLAIN,
    all_changes,
    evaluate_robustness,
    worst_orientation,
)
from affordance_grounding_core.inference.grounder import Grounder


def test_every_orientation_is_undone() -> None:
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (6, 9, 3), np.uint8)
    turned = [change for change in all_changes() if change.turns]
    assert len({change.apply(picture).tobytes() for change in turned}) == 8
    for change in turned:
        heat = change.apply(picture)[..., 0].astype(np.float32)
        np.testing.assert_array_equal(change.undo(heat), picture[..., 0])


def test_spoiled_pictures_keep_their_size_and_place() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    spoiled = [change for change in all_changes() if not change.turns]
    assert [change.name for change in spoiled] == ["JPEG 10", "blur", "quarter light", "grey"]
    for change in spoiled:
        seen = change.apply(picture)
        assert seen.shape == picture.shape
        assert seen.dtype == np.uint8
        assert not np.array_equal(seen, picture)


def test_an_answer_that_turns_with_the_camera_does_not_move(
    colour_grounder: Grounder, drawn_data: Path
) -> None:
    images = read_evaluation_set(drawn_data).images
    scores = evaluate_robustness(colour_grounder, images, LocateProtocol())
    assert scores[0].name == PLAIN
    assert scores[0].peak_shift == 0
    for score in scores:
        if score.turns:
            assert score.kld == pytest.approx(scores[0].kld, abs=0.05)
            assert score.peak_shift < 0.06
    assert worst_orientation(scores) < 1.2
    (dark,) = [score for score in scores if score.name == "quarter light"]
    assert dark.found < scores[0].found


def test_robustness_without_anything_to_score_says_so(
    colour_grounder: Grounder, drawn_data: Path
) -> None:
    with pytest.raises(DatasetError, match="ground truth of actions the model knows"):
        evaluate_robustness(colour_grounder, [], LocateProtocol())
