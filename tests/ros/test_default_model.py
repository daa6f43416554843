"""The default model on real topics, and the demo as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from ros_support import Scene

from affordance_grounding_core.backbones.table import DINOV2_VITS14
from affordance_grounding_core.checkpoints.format import packaged_checkpoint
from affordance_grounding_core.files import cache_directory
from affordance_grounding_ros.demo.__main__ import (
    BAG,
    DEFAULT_ACTIONS,
    PHOTOGRAPHS,
    questions,
    table,
)
from affordance_grounding_ros.demo.client import DEPTH_TOPICS, TOPICS
from affordance_grounding_ros.demo.orientations import ORIENTATIONS
from affordance_grounding_ros.demo.stereo import IMAGE as STEREO
from affordance_grounding_ros.grounder_node import load_model
from affordance_grounding_ros.images.conversions import image_to_array

REPOSITORY = Path(__file__).parents[2]
COFFEE = "coffee.png"
LIMIT = 240.0

needs_weights = pytest.mark.skipif(
    packaged_checkpoint("default") is None
    or not (cache_directory() / f"{DINOV2_VITS14.name}.safetensors").is_file(),
    reason="the default model's weights are not on this machine; `make setup` fetches them",
)


def photograph(name: str) -> Path:
    data = pytest.importorskip("skimage.data", reason="the photographs come with scikit-image")
    return Path(data.__file__).parent / name


@needs_weights
def test_the_default_model_grounds_a_photograph(scene: Scene) -> None:
    scene.start(loader=load_model, result_images=True)
    client = scene.client
    assert "drink_with" in client.status()["vocabulary"].split(", ")
    image = cv2.cvtColor(cv2.imread(str(photograph(COFFEE))), cv2.COLOR_BGR2RGB)
    heats = {}
    for action in ("hold", "drink_with"):
        client.command(action)
        result = client.wait_for_answer(action, image)
        heats[action] = image_to_array(result.heatmap)
        assert result.model == "default"
        assert (result.heatmap.height, result.heatmap.width) == image.shape[:2]
    assert all(np.isfinite(heat).all() for heat in heats.values())
    # The cup in the picture affords both, and not at the same places.
    assert np.abs(heats["hold"] - heats["drink_with"]).max() > 0.1


def run_demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "affordance_grounding_ros.demo", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


@needs_weights
@pytest.mark.slow
def test_the_demo_writes_a_picture_and_an_entry_for_every_action(tmp_path: Path) -> None:
    pytest.importorskip("rosbags", reason="the bag is read by rosbags: `pip install rosbags`")
    from rosbags.highlevel import AnyReader

    output = tmp_path / "demo"
    finished = run_demo("--output", str(output))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    summary = json.loads((output / "summary.json").read_text())
    asked = [(name, action) for name, actions in PHOTOGRAPHS.items() for action in actions]
    assert [(entry["image"], entry["goal"]) for entry in summary["results"]] == asked
    for entry in summary["results"]:
        picture = cv2.imread(str(output / entry["overlay"]))
        assert picture.shape == cv2.imread(str(photograph(entry["image"]))).shape
        assert entry["stamps"]["commanded"] <= entry["stamps"]["image"]
        assert entry["stamps"]["image"] + entry["latency"] <= entry["stamps"]["received"] + 1e-3
        assert entry["found"] == bool(entry["regions"])
        assert 0.0 <= entry["score"] <= 1.0
    with_pose = [region for entry in summary["results"] for region in entry["regions"]]
    for region in (region for region in with_pose if region["pose"]):
        # Between the nearest and the farthest measurement of the stereo pair.
        assert 2.0 < region["pose"]["position"][2] < 5.1
    motorcycle = [entry for entry in summary["results"] if entry["image"] == STEREO]
    assert all(region["pose"] for entry in motorcycle for region in entry["regions"])
    assert {entry["pose_problem"] for entry in motorcycle} == {""}
    with AnyReader([output / BAG]) as reader:
        counts = {connection.topic: connection.msgcount for connection in reader.connections}
    assert counts.keys() == {f"/{topic}" for topic in TOPICS | DEPTH_TOPICS}
    assert counts["/grounder/result"] == len(asked)
    assert counts["/depth"] == len(motorcycle)
    frames = summary["frames"]
    assert frames["received"] >= frames["processed"] >= len(asked)
    turned = summary["orientations"]
    assert [entry["orientation"] for entry in turned] == [c.name for c in ORIENTATIONS]
    assert all(entry["on_handle"] for entry in turned)
    assert "hottest on the handle in 8" in finished.stdout
    for entry in turned:
        seen, overlay = (output / entry[name] for name in ("image", "overlay"))
        assert cv2.imread(str(overlay)).shape == cv2.imread(str(seen)).shape
    for log in ("grounder.log", "grounder_turns.log"):
        assert "Traceback" not in (output / log).read_text()


def test_the_demo_says_why_it_fails_and_leaves_no_old_summary(tmp_path: Path) -> None:
    output = tmp_path / "demo"
    output.mkdir()
    (output / "summary.json").write_text("{}")
    path = tmp_path / "grey.png"
    assert cv2.imwrite(str(path), np.full((40, 60, 3), 127, np.uint8))
    finished = run_demo("--images", str(path), "--model", "/no/such", "--output", str(output))
    assert finished.returncode == 1
    assert "demo failed: the grounder is not ready: cannot configure: model '/no/such'" in (
        finished.stderr
    )
    assert "Traceback" not in finished.stderr
    assert not (output / "summary.json").exists()


def test_photographs_of_the_user_are_asked_the_default_actions(tmp_path: Path) -> None:
    path = tmp_path / "mine.png"
    assert cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))
    (question,) = questions([path], [])
    assert question.photograph == path
    assert question.actions == DEFAULT_ACTIONS
    assert questions([path], ["pour"])[0].actions == ("pour",)


def test_the_table_says_not_found() -> None:
    entry = {"image": "a.png", "action": "hold", "found": False, "score": 0.03, "regions": []}
    lines = table([{**entry, "latency": 0.2}, {**entry, "latency": None}]).splitlines()
    heads = ["image", "action", "found", "score", "regions", "best", "grasp", "latency"]
    assert lines[0].split() == heads
    assert lines[1].split() == ["a.png", "hold", "not", "found", "0.03", "0", "-", "200", "ms"]
    assert lines[2].split()[-1] == "-"


def test_the_table_shows_the_best_grasp() -> None:
    without = {"pose": None}
    placed = {"pose": {"position": [0.104, -0.2, 2.361], "orientation": [0.0, 0.0, 0.0, 1.0]}}
    entry = {"image": "a.png", "action": "hold", "found": True, "score": 0.9, "latency": 0.1}
    line = table([{**entry, "regions": [without, placed]}]).splitlines()[1]
    assert "x +0.10 y -0.20 z 2.36 m" in line
