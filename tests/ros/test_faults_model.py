"""Models that fail: nothing wrong is published, the reason is said once, recovery is automatic."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rclpy.lifecycle import TransitionCallbackReturn
from ros_support import DEADLINE, BrightnessRuntime, Scene, make_grounder, overrides

from affordance_grounding_core.checkpoints.format import packaged_checkpoint, read_checkpoint
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_ros.node.pipeline import Pipeline

Lines = Callable[[], list[tuple[str, str]]]

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


def errors(log: Lines) -> list[str]:
    return [text for level, text in log() if level == "error"]


FAILURES: dict[type[Exception], str] = {
    RuntimeError: "no kernel image\nis available\x1b[31m",
    MemoryError: "",
    torch.OutOfMemoryError: "CUDA out of memory. Tried to allocate 20.00 MiB",
    KeyError: "position_table",
    AssertionError: "",
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_model_that_raises_is_reported_once_and_tried_again(
    scene: Scene, log: Lines, kind: type[Exception]
) -> None:
    scene.start(action="hold")
    client = scene.client
    client.next_result()
    scene.runtime.failure = kind(FAILURES[kind])
    client.wait(lambda: scene.node.status.counts.failed >= 5, "failed images", client.show)
    answered = len(client.results)
    client.wait(lambda: scene.node.status.counts.failed >= 8, "failed images", client.show)
    assert len(client.results) == answered, "nothing is published for them"
    (line,) = errors(log)
    assert line.startswith(f"grounding failed with {kind.__name__}: ")
    assert line.isprintable()
    client.wait_for_status("with the reason", level="2", message=line)
    scene.runtime.failure = None
    assert client.next_result().found
    client.wait_for_status("recovered", level="0", message="grounding 'hold'")


WRONG_HEAT: dict[str, Callable[[NDArray[np.float32]], NDArray[Any]]] = {
    "NaN": lambda heat: heat * np.float32("nan"),
    "infinite": lambda heat: heat + np.float32("inf"),
    "one NaN": lambda heat: np.where(
        np.arange(heat[0].size).reshape(heat.shape) == 7, np.nan, heat
    ),
}


@pytest.mark.parametrize("kind", WRONG_HEAT)
def test_heat_that_is_wrong_is_never_published(scene: Scene, log: Lines, kind: str) -> None:
    scene.start(action="hold", result_images=True)
    client = scene.client
    healthy = scene.runtime.run
    scene.runtime.run = lambda pixels, actions: WRONG_HEAT[kind](healthy(pixels, actions))
    client.wait(lambda: scene.node.status.counts.failed >= 3, "failed images", client.show)
    assert client.results == client.heatmaps == client.masks == []
    assert len(errors(log)) == 1
    assert "not finite" in errors(log)[0]
    scene.runtime.run = healthy
    heat = np.frombuffer(bytes(client.next_result().heatmap.data), np.float32)
    assert np.isfinite(heat).all()


def test_a_model_that_hangs_is_reported_and_goes_on_with_the_newest_image(
    scene: Scene, log: Lines
) -> None:
    scene.start(action="hold", inference_timeout=0.2)
    client = scene.client
    client.next_result()
    scene.runtime.gate.clear()
    calls = scene.runtime.calls
    client.wait(lambda: scene.runtime.calls > calls, "an image at work", client.show)
    client.wait(lambda: errors(log), "the report", client.show)
    (line,) = errors(log)
    assert "at work on one image for more than 0.2 s (parameter 'inference_timeout')" in line
    client.wait_for_status("with the problem", level="2", message=line)
    # The executor is not held up: goals are taken and parameters change.
    client.command("pour")
    assert scene.node.set_parameters(overrides(threshold=0.5))[0].successful
    scene.runtime.gate.set()
    # From now on a busy machine may take its time.
    assert scene.node.set_parameters(overrides(inference_timeout=DEADLINE))[0].successful
    assert client.wait_for_answer("pour", None).threshold == pytest.approx(0.5)
    client.wait_for_status("recovered", level="0", message="grounding 'pour'")
    client.wait(lambda: any(text == "the model answers again" for _, text in log()), "the note")
    assert len(errors(log)) == 1


def test_a_model_that_hangs_for_ever_does_not_hold_the_transitions_up(
    scene: Scene, log: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pipeline, "STOP_TIMEOUT", 0.2)
    node = scene.start(action="hold")
    client = scene.client
    client.next_result()
    hanging = scene.runtime
    hanging.gate.clear()
    calls = hanging.calls
    client.wait(lambda: hanging.calls > calls, "an image at work", client.show)
    assert node.trigger_deactivate() == SUCCESS
    assert node.trigger_cleanup() == SUCCESS
    assert any("did not finish its image within 0.2 s" in text for text in errors(log))
    assert not hanging.closed, "it is in use"

    scene.runtime = BrightnessRuntime()
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == SUCCESS
    client.command("hold")
    client.wait(lambda: client.results, "a result of the new model", client.show)
    published = node.status.counts.processed
    hanging.gate.set()
    client.wait(lambda: hanging.closed, "the old model to be freed")
    assert node.status.counts.failed == 0
    assert node.status.counts.processed == published, "the old model publishes nothing more"


def test_out_of_memory_at_loading_fails_the_configuration(scene: Scene, log: Lines) -> None:
    failing = True

    def load(model: str, runtime: str, input_size: int) -> Grounder:
        if failing:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return make_grounder(scene.runtime)

    node = scene.start(loader=load)
    assert errors(log)[0] == "cannot configure: OutOfMemoryError: CUDA out of memory"
    failing = False
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == SUCCESS


def load_checkpoint(scene: Scene) -> Callable[[str, str], Grounder]:
    """Reads a checkpoint with all its checks, and runs a model that needs no backbone."""

    def load(model: str, runtime: str, input_size: int) -> Grounder:
        checkpoint = read_checkpoint(Path(model))
        scene.runtime.closed = False
        return make_grounder(scene.runtime, name=checkpoint.fingerprint[:8])

    return load


PACKAGED = packaged_checkpoint("default")
needs_checkpoint = pytest.mark.skipif(
    PACKAGED is None, reason="the default checkpoint is not in this tree"
)


@needs_checkpoint
@pytest.mark.parametrize("damage", ["removed", "cut", "other weights"])
def test_a_checkpoint_lost_while_it_is_in_use_is_missed_at_the_next_configuration(
    scene: Scene, log: Lines, tmp_path: Path, damage: str
) -> None:
    assert PACKAGED is not None
    model = tmp_path / "model"
    shutil.copytree(PACKAGED, model)
    node = scene.start(loader=load_checkpoint(scene), model=str(model), action="hold")
    client = scene.client
    client.next_result()
    if damage == "removed":
        shutil.rmtree(model)
    else:
        weights = model / "model.safetensors"
        content = weights.read_bytes()
        weights.write_bytes(content[:1000] if damage == "cut" else content[:-4] + b"\0\1\2\3")
    assert client.next_result().found, "what is loaded stays loaded"
    assert node.trigger_deactivate() == SUCCESS
    assert node.trigger_cleanup() == SUCCESS
    assert node.trigger_configure() == FAILURE
    assert errors(log)[-1].startswith("cannot configure: ")
    assert str(model) in errors(log)[-1]
    client.wait_for_status("with the reason", level="2", state="unconfigured")
    shutil.rmtree(model, ignore_errors=True)
    shutil.copytree(PACKAGED, model)
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == SUCCESS
    client.wait_for_grounder()
    assert client.next_result().found


def test_stopping_and_reporting_at_once_does_not_deadlock(scene: Scene) -> None:
    node = scene.start(action="hold")
    scene.runtime.failure = RuntimeError("broken")
    finished = threading.Event()

    def leave() -> None:
        for _ in range(5):
            node.trigger_deactivate()
            node.trigger_activate()
        finished.set()

    thread = threading.Thread(target=leave, daemon=True)
    thread.start()
    scene.client.wait(finished.is_set, "the transitions", scene.client.show)
    assert node.status.state == "active"
