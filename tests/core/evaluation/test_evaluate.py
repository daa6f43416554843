"""Evaluation of a grounder that sees the drawn parts by their colour."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affordance_grounding_core.data.agd20k import affordances_of_objects, read_evaluation_set
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.evaluation.evaluate import (
    Evaluation,
    evaluate_grounder,
    peak_on_part,
)
from affordance_grounding_core.evaluation.masks import MaskScore
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.evaluation.summary import (
    mean_by_action,
    mean_by_object,
    mean_score,
)
from affordance_grounding_core.images import read_grey, read_rgb, write_png
from affordance_grounding_core.inference.grounder import Grounder
from tests.core.conftest import part_mask


def run(grounder: Grounder, root: Path, protocol: str = "locate") -> Evaluation:
    dataset = read_evaluation_set(root)
    affordances = affordances_of_objects(dataset.images)
    return evaluate_grounder(grounder, dataset, PROTOCOLS[protocol], affordances)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_grounder_that_sees_the_parts_scores_well(
    colour_grounder: Grounder, drawn_data: Path, protocol: str
) -> None:
    evaluation = run(colour_grounder, drawn_data, protocol)
    assert len(evaluation.right) == 8
    assert all(pair.found and pair.peak_on_part for pair in evaluation.right)
    overall = mean_score(evaluation.scores)
    assert overall.n == 8
    assert overall.kld < 1
    assert overall.nss > 1


def test_wrong_actions_are_those_the_object_class_does_not_afford(
    colour_grounder: Grounder, drawn_data: Path
) -> None:
    evaluation = run(colour_grounder, drawn_data)
    assert {(pair.object_name, pair.action) for pair in evaluation.wrong} == {
        ("mug", "hit"),
        ("hammer", "drink_with"),
    }
    assert len(evaluation.wrong) == 4
    assert not any(pair.found for pair in evaluation.wrong)


def test_a_wrong_action_that_is_found_is_counted(
    colour_grounder: Grounder, drawn_data: Path
) -> None:
    everywhere = np.full((96, 128, 3), 255, np.uint8)
    for action in ("hold", "hit"):
        picture = drawn_data / "testset" / "egocentric" / action / "hammer" / "hammer_0.png"
        write_png(picture, everywhere)
    evaluation = run(colour_grounder, drawn_data)
    found = [pair for pair in evaluation.wrong if pair.found]
    assert [(pair.image.name, pair.action) for pair in found] == [("hammer_0.png", "drink_with")]
    assert found[0].peak == pytest.approx(1)


def test_a_picture_under_two_actions_is_run_once(
    colour_grounder: Grounder, colour_runtime: Any, drawn_data: Path
) -> None:
    run(colour_grounder, drawn_data)
    assert colour_runtime.runs == 4


def test_an_alias_in_the_data_is_not_held_against_the_model(
    colour_grounder: Grounder, drawn_data: Path
) -> None:
    for part in ("egocentric", "GT"):
        folder = drawn_data / "testset" / part
        (folder / "hold").rename(folder / "grasp")
    evaluation = run(colour_grounder, drawn_data)
    assert evaluation.unknown_actions == {"grasp": 4}
    assert len(evaluation.right) == 4
    assert "hold" not in {pair.action for pair in evaluation.wrong}


def test_what_cannot_be_scored_is_counted_or_named(
    colour_grounder: Grounder, drawn_data: Path
) -> None:
    test = drawn_data / "testset"
    (test / "GT" / "hit" / "hammer" / "hammer_0.png").unlink()
    (test / "GT" / "hit" / "hammer" / "hammer_1.png").write_bytes(b"junk")
    (test / "egocentric" / "hold" / "mug" / "mug_0.png").write_bytes(b"junk")
    (test / "egocentric" / "hold" / "mug" / "mug_1.png").write_bytes(b"")
    write_png(test / "GT" / "hold" / "hammer" / "hammer_0.png", np.zeros((96, 128), np.uint8))
    evaluation = run(colour_grounder, drawn_data)
    assert evaluation.without_ground_truth == 1
    assert len(evaluation.unreadable) == 3
    assert len(evaluation.right) == 4
    assert [pair.peak_on_part for pair in evaluation.right].count(None) == 1


def test_a_data_set_without_any_known_action_is_refused(
    colour_grounder: Grounder, tmp_path: Path
) -> None:
    picture = tmp_path / "testset" / "egocentric" / "sing" / "bird" / "bird.png"
    write_png(picture, np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(DatasetError, match=r"could be scored.*'sing'.*'hold'"):
        run(colour_grounder, tmp_path)


def test_means_are_over_images(colour_grounder: Grounder, drawn_data: Path) -> None:
    scores = run(colour_grounder, drawn_data).scores
    actions, objects = mean_by_action(scores), mean_by_object(scores)
    assert {name: mean.n for name, mean in actions.items()} == {
        "drink_with": 2,
        "hit": 2,
        "hold": 4,
    }
    assert {name: mean.n for name, mean in objects.items()} == {"hammer": 4, "mug": 4}
    assert mean_score(scores).kld == pytest.approx(
        sum(mean.kld * mean.n for mean in actions.values()) / 8
    )
    with pytest.raises(ValueError, match="at least one"):
        mean_score([])


def test_the_peak_is_looked_up_at_any_resolution_of_the_ground_truth() -> None:
    heatmap = np.zeros((100, 200), np.float32)
    heatmap[99, 0] = 1
    truth = np.zeros((10, 10), np.float32)
    truth[9, 0] = 0.4
    assert peak_on_part(heatmap, truth) is True
    truth[0, 9] = 1.0
    assert peak_on_part(heatmap, truth) is False
    assert peak_on_part(heatmap, np.zeros((10, 10), np.float32)) is None


def write_masks(root: Path, shift: int = 0) -> None:
    """Write the parts themselves beside the heatmaps of a drawn test set."""
    for file in (root / "testset" / "GT").rglob("*.png"):
        action, name = file.parts[-3:-1]
        index = int(file.stem.rsplit("_", 1)[1])
        write_png(
            root / "testset" / "masks" / action / name / file.name,
            part_mask(action, 5 * index + shift),
        )


def test_published_masks_are_scored_where_the_data_has_a_masks_folder(
    colour_grounder: Grounder, drawn_data: Path
) -> None:
    assert all(pair.mask is None for pair in run(colour_grounder, drawn_data).right)
    write_masks(drawn_data)
    evaluation = run(colour_grounder, drawn_data)
    assert len(evaluation.right) == 8
    for pair in evaluation.right:
        item = pair.result.image
        published = colour_grounder.ground(read_rgb(item.image), item.action).mask
        truth = read_grey(Path(str(item.mask))) >= 0.5
        assert pair.mask == MaskScore(
            int((published & truth).sum()), int((published | truth).sum())
        )
        assert pair.mask.iou > 0.5
        assert pair.peak_in_mask is True


def test_a_mask_elsewhere_is_missed(colour_grounder: Grounder, drawn_data: Path) -> None:
    write_masks(drawn_data, shift=-60)
    pairs = run(colour_grounder, drawn_data).right
    assert any(pair.mask is not None and pair.mask.iou == 0 for pair in pairs)
    assert any(pair.peak_in_mask is False for pair in pairs)


def test_a_test_set_of_masks_alone_is_scored_against_their_blur(
    colour_grounder: Grounder, drawn_data: Path
) -> None:
    before = mean_score(run(colour_grounder, drawn_data).scores)
    write_masks(drawn_data)
    shutil.rmtree(drawn_data / "testset" / "GT")
    after = run(colour_grounder, drawn_data)
    assert after.without_ground_truth == 0
    # The heatmaps were the same blur, rounded to 8 bits.
    assert mean_score(after.scores).kld == pytest.approx(before.kld, abs=0.01)


def test_a_mask_that_training_would_refuse_is_named(
    colour_grounder: Grounder, drawn_data: Path
) -> None:
    write_masks(drawn_data)
    folder = drawn_data / "testset" / "masks" / "hold" / "mug"
    write_png(folder / "mug_0.png", (part_mask("hold") > 0).astype(np.uint8))
    write_png(folder / "mug_1.png", np.full((4, 4), 255, np.uint8))
    evaluation = run(colour_grounder, drawn_data)
    assert len(evaluation.right) == 6
    told = sorted(evaluation.unreadable)
    assert "mug_0.png" in told[0]
    assert "multiply masks of 0 and 1 by 255" in told[0]
    assert "4 x 4 px, its image 96 x 128" in told[1]
