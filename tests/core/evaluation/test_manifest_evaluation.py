"""Evaluation of a test list of images, actions or sentences, and ground truths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from affordance_grounding_core.data.evaluation_manifest import write_manifest
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.evaluation.evaluate import Evaluation
from affordance_grounding_core.evaluation.manifest import evaluate_manifest
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.evaluation.report import make_report
from affordance_grounding_core.images import write_png
from affordance_grounding_core.inference.grounder import Grounder
from tests.core.conftest import draw_object, part_mask

Row = dict[str, str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures, masks of all their parts."""
    for name, actions in {"mug": ("hold", "drink_with"), "hammer": ("hold", "hit")}.items():
        write_png(tmp_path / f"{name}.png", draw_object(name))
        for action in actions:
            write_png(tmp_path / f"{name}_{action}.png", part_mask(action))
    return tmp_path


def row(name: str, part: str, **other: str) -> Row:
    asked = {} if "sentence" in other else {"action": part}
    return {"image": f"{name}.png", "mask": f"{name}_{part}.png", "object": name, **asked, **other}


def run(grounder: Grounder, folder: Path, rows: list[Row]) -> Evaluation:
    write_manifest(folder / "list.jsonl", rows)
    return evaluate_manifest(grounder, folder / "list.jsonl", PROTOCOLS["locate"])


def test_every_row_is_scored_and_objects_tell_what_is_not_afforded(
    colour_grounder: Grounder, colour_runtime: Any, folder: Path
) -> None:
    rows = [row("mug", "hold"), row("mug", "drink_with"), row("hammer", "hit")]
    evaluation = run(colour_grounder, folder, rows)
    named = [(p.result.image.object_name, p.result.image.action) for p in evaluation.right]
    assert named == [("mug", "hold"), ("mug", "drink_with"), ("hammer", "hit")]
    assert all(pair.mask and pair.mask.iou > 0.5 for pair in evaluation.right)
    assert all(pair.result.score.kld < 1 for pair in evaluation.right)
    # Nothing in the list holds a hammer, so that holding it counts as not afforded here.
    assert {(pair.object_name, pair.action) for pair in evaluation.wrong} == {
        ("mug", "hit"),
        ("hammer", "hold"),
        ("hammer", "drink_with"),
    }
    assert colour_runtime.runs == 2


def test_sentences_are_resolved_and_refusals_are_counted(
    colour_grounder: Grounder, folder: Path
) -> None:
    rows = [
        row("mug", "hold", sentence="grab the mug by its handle"),
        row("mug", "drink_with", sentence="I want to paint the ceiling"),
        row("hammer", "hit", sentence="the quick brown fox"),
    ]
    evaluation = run(colour_grounder, folder, rows)
    assert [pair.result.image.action for pair in evaluation.right] == ["hold"]
    assert evaluation.refused == 2
    assert evaluation.refusals[0].startswith("line 2: ")
    text = make_report(colour_grounder, folder / "list.jsonl", "locate", evaluation, {}).as_text()
    assert "skipped: 2 sentences that the model refuses" in text
    assert "list.jsonl" in text


def test_an_action_is_a_name_or_an_alias_never_a_sentence(
    colour_grounder: Grounder, folder: Path
) -> None:
    rows = [
        row("mug", "hold", action="grasp"),
        row("mug", "hold", action="sing"),
        row("mug", "hold", action="grab the mug by its handle"),
    ]
    evaluation = run(colour_grounder, folder, rows)
    assert [pair.result.image.action for pair in evaluation.right] == ["hold"]
    assert evaluation.unknown_actions == {"grab the mug by its handle": 1, "sing": 1}


def test_rows_without_an_object_hold_nothing_against_the_model(
    colour_grounder: Grounder, folder: Path
) -> None:
    evaluation = run(colour_grounder, folder, [row("mug", "hold", object="")])
    assert len(evaluation.right) == 1
    assert evaluation.wrong == ()


def test_sources_are_reported_apart(colour_grounder: Grounder, folder: Path) -> None:
    rows = [
        row("mug", "hold", source="kitchen"),
        row("mug", "drink_with", source="kitchen"),
        row("hammer", "hit", source="workshop"),
    ]
    evaluation = run(colour_grounder, folder, rows)
    report = make_report(colour_grounder, folder / "list.jsonl", "locate", evaluation, {})
    sources = json.loads(json.dumps(report.as_dict(), allow_nan=False))["per_source"]
    assert {name: content["n"] for name, content in sources.items()} == {
        "kitchen": 2,
        "workshop": 1,
    }
    assert sources["workshop"]["masks"]["n"] == 1
    assert f"{sources['kitchen']['masks']['giou']:.3f}" in report.as_text()


def test_a_list_of_which_nothing_can_be_scored_is_refused(
    colour_grounder: Grounder, folder: Path
) -> None:
    rows = [
        row("mug", "hold", image="gone.png"),
        row("mug", "hold", sentence="the quick brown fox"),
        row("mug", "hold", action="sing"),
    ]
    with pytest.raises(DatasetError, match=r"none of the 3 rows.*1 cannot be read.*'sing'.*gone"):
        run(colour_grounder, folder, rows)
