"""Reports and pictures of an evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from affordance_grounding_core.data.agd20k import affordances_of_objects, read_evaluation_set
from affordance_grounding_core.evaluation.baselines import evaluate_baselines, uniform_baseline
from affordance_grounding_core.evaluation.evaluate import evaluate_grounder
from affordance_grounding_core.evaluation.pictures import choose_cases, write_pictures
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.evaluation.report import (
    EvaluationReport,
    format_table,
    make_report,
)
from affordance_grounding_core.images import read_grey, read_rgb, write_png
from affordance_grounding_core.inference.grounder import Grounder


@pytest.fixture
def report(colour_grounder: Grounder, drawn_data: Path) -> EvaluationReport:
    dataset = read_evaluation_set(drawn_data)
    protocol = PROTOCOLS["locate"]
    affordances = affordances_of_objects(dataset.images)
    evaluation = evaluate_grounder(colour_grounder, dataset, protocol, affordances)
    baselines = evaluate_baselines(
        [uniform_baseline(colour_grounder.actions)], dataset.images, protocol
    )
    return make_report(colour_grounder, dataset, "locate", evaluation, baselines)


def test_the_json_says_what_was_evaluated_how_and_on_what(report: EvaluationReport) -> None:
    content = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert {name: content[name] for name in ("protocol", "data", "split", "model", "runtime")} == {
        "protocol": "locate",
        "data": "drawn",
        "split": None,
        "model": "colours",
        "runtime": "colours",
    }
    assert content["fingerprint"] == "0" * 64
    assert content["overall"].keys() == {"kld", "sim", "nss", "n"}
    assert content["overall"]["n"] == 8
    assert content["per_action"].keys() == {"drink_with", "hit", "hold"}
    assert content["per_object"].keys() == {"hammer", "mug"}
    assert content["baselines"]["uniform"]["overall"]["kld"] > content["overall"]["kld"]
    assert content["detection"]["right"]["found"] == 1
    assert content["detection"]["right"]["peak_on_part"] == 1
    assert content["detection"]["wrong"]["pairs"] == 4
    assert content["detection"]["wrong"]["found"] == 0
    assert content["skipped"]["without_ground_truth"] == 0


def test_the_table_is_aligned_and_complete(report: EvaluationReport) -> None:
    text = report.as_text()
    assert "protocol locate" in text
    lines = {line.split()[0]: line for line in text.splitlines() if line}
    assert f"{report.as_dict()['overall']['kld']:.3f}" in lines["overall"]
    assert {"drink_with", "hit", "hold", "uniform"} <= lines.keys()
    means = report.as_dict()
    model, uniform = (
        part["per_action"]["hit"]["kld"] for part in (means, means["baselines"]["uniform"])
    )
    assert lines["hit"].split() == ["hit", f"{model:.3f}", f"{uniform:.3f}"]
    assert "skipped" not in text


def test_cells_are_aligned() -> None:
    assert format_table(["", "n"], [["a", "10"], ["long", "5"]]).splitlines() == [
        "       n",
        "--------",
        "a     10",
        "long   5",
    ]


def test_pictures_show_image_truth_and_answer(
    report: EvaluationReport, colour_grounder: Grounder, tmp_path: Path
) -> None:
    files = write_pictures(colour_grounder, report.evaluation, tmp_path / "pictures", 2)
    assert len(files) == 6
    for file in files:
        assert read_rgb(file).shape == (96, 3 * 128 + 8, 3)


def test_cases_are_ranked_by_kld_and_drawn_with_a_seed(report: EvaluationReport) -> None:
    pairs = report.evaluation.right
    cases = choose_cases(pairs, 3)
    values = [pair.result.score.kld for pair in pairs]
    assert [pair.result.score.kld for pair in cases["best"]] == sorted(values)[:3]
    assert [pair.result.score.kld for pair in cases["worst"]] == sorted(values)[::-1][:3]
    assert cases == choose_cases(pairs, 3)
    drawn = {pair.result.image for pair in choose_cases(pairs, 100)["random"]}
    assert drawn == {pair.result.image for pair in pairs}
    with pytest.raises(ValueError, match="at least 1"):
        choose_cases(pairs, 0)


def test_masks_and_detection_are_reported(colour_grounder: Grounder, drawn_data: Path) -> None:
    for file in (drawn_data / "testset" / "GT").rglob("*.png"):
        part = (read_grey(file) > 0.5).astype(np.uint8) * 255
        write_png(drawn_data / "testset" / "masks" / file.relative_to(file.parents[2]), part)
    dataset = read_evaluation_set(drawn_data)
    evaluation = evaluate_grounder(
        colour_grounder, dataset, PROTOCOLS["locate"], affordances_of_objects(dataset.images)
    )
    report = make_report(colour_grounder, dataset, "locate", evaluation, {})
    content = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert content["masks"]["overall"]["n"] == 8
    assert 0.3 < content["masks"]["overall"]["giou"] <= 1
    assert content["masks"]["per_action"].keys() == {"drink_with", "hit", "hold"}
    assert content["hot_regions"]["overall"]["n"] == 8
    assert content["detection"]["right"]["peak_in_mask"] == 1
    assert content["detection"]["average_precision"] == 1
    assert content["detection"]["average_precision_per_action"] == {"drink_with": 1, "hit": 1}
    assert content["detection"]["at_threshold"] == {"precision": 1, "recall": 1}
    assert len(content["detection"]["curve"]["levels"]) == 49
    text = report.as_text()
    assert f"{content['masks']['overall']['giou']:.3f}" in text
    assert "gIoU" in text
    assert "8 afforded and 4 other pairs: AP 1.000" in text


def test_data_without_masks_is_reported_without_them(report: EvaluationReport) -> None:
    assert report.as_dict()["masks"] == {}
    assert "gIoU" not in report.as_text()
