"""No build of an engine ever stops the answers."""

from __future__ import annotations

import logging
import os
import pickle
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from affordance_grounding_core.errors import ExportError
from affordance_grounding_core.loading import choose_runtime
from affordance_grounding_core.runtimes.building import beside as beside_module
from affordance_grounding_core.runtimes.building.beside import BuildProcesses, BuildsEndedError
from affordance_grounding_core.runtimes.building.job import BuildJob
from affordance_grounding_core.runtimes.building.maker import Subject
from affordance_grounding_core.runtimes.eager import EagerRuntime
from affordance_grounding_core.runtimes.gated import GatedRuntime
from affordance_grounding_core.runtimes.request import RuntimeRequest
from tests.core.runtimes.process_backends import EndingBackend, PatchNetwork, TellingBackend
from tests.core.runtimes.small_networks import small_network

MakeRuntime = Callable[..., GatedRuntime]

ASKED = RuntimeRequest("openvino")
AUTO = RuntimeRequest("auto", patience=2)


@pytest.fixture
def pixels() -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(3, 56, 56)).astype(np.float32)


@pytest.fixture
def expected(network: Any, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return EagerRuntime(network, "cpu").run(pixels, [0, 1, 2])


def test_pytorch_answers_while_the_engine_is_built_and_the_next_frame_is_the_engines(
    make_runtime: MakeRuntime, beside: Any, backend: Any, pixels: Any, expected: Any
) -> None:
    runtime = make_runtime(ASKED)
    for _ in range(3):
        np.testing.assert_array_equal(runtime.run(pixels, [0, 1, 2]), expected)
        assert runtime.description == "eager-cpu-fp32"
        assert not runtime.report.degraded
    assert backend.builds == []
    assert len(beside.tasks) == 1, "one search a size, however many frames come"
    beside.finish()
    np.testing.assert_allclose(runtime.run(pixels, [0, 1, 2]), expected, atol=1e-6)
    assert runtime.description == "fake-int8-cpu"
    assert runtime.report.gate is not None


def test_frames_that_come_during_the_build_are_answered_and_the_report_says_what_is_built(
    make_runtime: MakeRuntime, beside: Any, pixels: Any, expected: Any
) -> None:
    runtime = make_runtime(ASKED)
    seen: list[str] = []

    def frame() -> None:
        np.testing.assert_array_equal(runtime.run(pixels, [0, 1, 2]), expected)
        seen.append(runtime.report.building)

    beside.during = frame
    assert runtime.report.building == ""
    frame()
    beside.finish()
    assert seen == ["", "fake-int8 for 56 x 56 px: half done"]
    assert runtime.report.as_dict()["building"] == ""


def test_a_size_that_appears_later_is_answered_by_pytorch_until_its_engine_is_there(
    make_runtime: MakeRuntime, beside: Any, network: Any, pixels: Any
) -> None:
    runtime = make_runtime(ASKED)
    runtime.run(pixels, [0])
    beside.finish()
    wide = np.random.default_rng(1).normal(size=(3, 42, 84)).astype(np.float32)
    expected = EagerRuntime(network, "cpu").run(wide, [1])
    np.testing.assert_array_equal(runtime.run(wide, [1]), expected)
    assert runtime.description == "eager-cpu-fp32"
    runtime.run(pixels, [0])
    assert runtime.description == "fake-int8-cpu", "the other size keeps its engine"
    beside.finish()
    np.testing.assert_allclose(runtime.run(wide, [1]), expected, atol=1e-6)
    assert runtime.description == "fake-int8-cpu"


def test_auto_begins_to_build_when_a_size_has_come_often_enough(
    make_runtime: MakeRuntime, beside: Any, backend: Any, pixels: Any
) -> None:
    runtime = make_runtime(AUTO)
    for _ in range(2):
        runtime.run(pixels, [0])
        beside.finish()
        assert backend.builds == []
    runtime.run(pixels, [0])
    beside.finish()
    assert backend.builds == ["fake-int8 56x56"]
    runtime.run(pixels, [0])
    assert runtime.description == "fake-int8-cpu"


def test_auto_loads_a_stored_engine_beside_the_first_frame(
    make_runtime: MakeRuntime, beside: Any, backend: Any, pixels: Any
) -> None:
    make_runtime().prepare(56, 56)
    runtime = make_runtime(AUTO)
    runtime.run(pixels, [0])
    assert runtime.description == "eager-cpu-fp32"
    beside.finish()
    runtime.run(pixels, [0])
    assert runtime.description == "fake-int8-cpu"
    assert backend.builds == ["fake-int8 56x56"]


def test_an_engine_that_fails_its_gate_beside_the_answers_gives_way_to_the_next(
    make_runtime: MakeRuntime, beside: Any, backend: Any, pixels: Any, caplog: Any
) -> None:
    backend.faults["fake-int8"] = lambda heat: heat * np.float32("nan")
    backend.broken["fake-bf16"] = MemoryError("out of memory")
    runtime = make_runtime(ASKED)
    runtime.run(pixels, [0])
    with caplog.at_level(logging.INFO):
        beside.finish()
        runtime.run(pixels, [0])
    assert runtime.description == "fake-fp32-cpu"
    assert runtime.report.degraded
    assert len(runtime.report.rejected) == 2
    assert "fake-int8 for 56 x 56 px: building beside the answers" in caplog.text


def test_an_engine_that_fails_in_use_is_replaced_beside_the_answers(
    make_runtime: MakeRuntime, beside: Any, backend: Any, pixels: Any, expected: Any
) -> None:
    runtime = make_runtime(ASKED)
    runtime.run(pixels, [0])
    beside.finish()

    def run_out_of_memory(heat: NDArray[np.float32]) -> NDArray[np.float32]:
        raise RuntimeError("CUDA out of memory")

    backend.faults["fake-int8"] = run_out_of_memory
    np.testing.assert_array_equal(runtime.run(pixels, [0, 1, 2]), expected)
    assert runtime.description == "eager-cpu-fp32"
    beside.finish()
    np.testing.assert_allclose(runtime.run(pixels, [0, 1, 2]), expected, atol=1e-6)
    assert runtime.description == "fake-bf16-cpu"
    assert "failed in use (CUDA out of memory)" in runtime.report.rejected[0]


def test_what_goes_wrong_in_the_search_is_in_the_report(
    make_runtime: MakeRuntime, beside: Any, pixels: Any, expected: Any, tmp_path: Path
) -> None:
    runtime = make_runtime(RuntimeRequest("openvino", frames=tmp_path))
    runtime.run(pixels, [0])
    beside.finish()
    np.testing.assert_array_equal(runtime.run(pixels, [0, 1, 2]), expected)
    (reason,) = runtime.report.rejected
    assert "holds 0 image files, the gate needs 8 or more" in reason


def test_prepare_may_begin_a_build_and_go_on(
    make_runtime: MakeRuntime, beside: Any, backend: Any, pixels: Any
) -> None:
    runtime = make_runtime(AUTO)
    report = runtime.prepare(56, 56, wait=False)
    assert report.description == "eager-cpu-fp32"
    assert backend.builds == []
    beside.finish()
    runtime.run(pixels, [0])
    assert runtime.description == "fake-int8-cpu"
    again = make_runtime(AUTO)
    assert again.prepare(56, 56, wait=False).description == "fake-int8-cpu"
    assert beside.tasks == [], "what lies ready is loaded at once"


def test_waiting_for_what_is_built_beside_builds_it_once_and_keeps_one_engine(
    make_runtime: MakeRuntime, beside: Any, backend: Any, pixels: Any
) -> None:
    runtime = make_runtime(ASKED)
    runtime.run(pixels, [0])
    assert runtime.prepare(56, 56).description == "fake-int8-cpu"
    beside.finish()
    runtime.run(pixels, [0])
    assert backend.builds == ["fake-int8 56x56"]
    assert [engine.closed for engine in backend.engines[1:]] == [False, True]


def test_where_nothing_may_take_its_place_frames_wait(
    make_runtime: MakeRuntime, beside: Any, backend: Any, pixels: Any
) -> None:
    runtime = make_runtime(RuntimeRequest("openvino", fall_back=False))
    runtime.run(pixels, [0])
    assert runtime.description == "fake-int8-cpu"
    assert beside.tasks == []


def test_closing_frees_an_engine_that_no_frame_has_taken_over(
    make_runtime: MakeRuntime, beside: Any, backend: Any, pixels: Any
) -> None:
    runtime = make_runtime(ASKED)
    runtime.run(pixels, [0])
    beside.finish()
    runtime.close()
    assert beside.closed
    assert all(engine.closed for engine in backend.engines)


def test_a_build_that_closing_ends_is_no_candidates_fault(
    make_runtime: MakeRuntime, beside: Any, pixels: Any, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = make_runtime(ASKED)
    runtime.run(pixels, [0])
    asked: list[str] = []

    def end(job: BuildJob, report: Callable[[str], None]) -> None:
        asked.append(job.name)
        raise BuildsEndedError("the runtime was closed during the build")

    beside.build = end
    beside.finish()
    assert len(asked) == 1, "no other candidate is tried"
    assert not [line for line in caplog.records if line.levelno >= logging.WARNING]


@pytest.mark.parametrize("name", ["action_head", "selective_cl", "plsp"])
def test_networks_reach_another_process_as_they_are(name: str, tmp_path: Path) -> None:
    from affordance_grounding_core.runtimes.engines.identity import network_identity
    from affordance_grounding_core.runtimes.graph import GraphInput, actions_per_run

    network = small_network(name)
    shape = GraphInput(64, 64, actions_per_run(network, 3), 3)
    if name == "action_head":
        shape = GraphInput(56, 56, shape.actions, 3)
    before = network_identity(network, shape)
    assert network_identity(pickle.loads(pickle.dumps(network)), shape) == before


@pytest.fixture
def small_model(make_grounder: Any) -> Any:
    """A grounder whose network another process can read: of a method, not of a test."""
    from affordance_grounding_core.actions.vocabulary import ActionVocabulary
    from tests.core.runtimes.small_networks import VOCABULARY

    grounder = make_grounder(small_network("action_head"))
    grounder.vocabulary = ActionVocabulary(VOCABULARY, {})
    return grounder


def run_until(condition: Callable[[], bool], step: Callable[[], object]) -> None:
    """Repeat a step until a condition holds; ten minutes are a failure, not a measurement."""
    done = threading.Event()
    timer = threading.Timer(600.0, done.set)
    timer.start()
    try:
        while not condition():
            step()
            assert not done.is_set(), "it never came"
    finally:
        timer.cancel()


def test_openvino_is_built_in_a_process_of_its_own_and_swapped_in(
    small_model: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("openvino")
    wanted = RuntimeRequest("openvino", "fp32", store=tmp_path)
    reference = small_model.heatmaps(image := picture(), ["hit"])
    small_model.use_runtime(lambda eager: choose_runtime(small_model, eager, wanted))
    building: set[str] = set()
    with caplog.at_level(logging.INFO):
        np.testing.assert_array_equal(small_model.heatmaps(image, ["hit"]), reference)
        assert small_model.runtime == "eager-cpu-fp32"

        def frame() -> None:
            time.sleep(0.05)  # a camera's pause, in which the build goes on
            heat = small_model.heatmaps(image, ["hit"])
            building.add(small_model.runtime_report.building)
            assert np.abs(heat - reference).max() < 1e-3

        run_until(lambda: small_model.runtime == "openvino-cpu-fp32", frame)
    report = small_model.runtime_report
    assert report.gate is not None
    assert report.rejected == ()
    assert report.building == ""
    assert any("comparing with PyTorch" in line for line in building)
    assert "converting" in caplog.text, "the process's progress is in our log"
    small_model.close()


def picture() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)


def job_of(backend: Any, preprocess: Any, folder: Path, **changes: Any) -> BuildJob:
    from affordance_grounding_core.runtimes.base import Candidate
    from affordance_grounding_core.runtimes.graph import GraphInput

    values: dict[str, Any] = {
        "network": PatchNetwork(),
        "device": "cpu",
        "subject": Subject(preprocess.config, 3, 0.6),
        "frames": None,
        "backend": backend,
        "shape": GraphInput(56, 56, 3, 3),
        "candidate": Candidate("eager", "bf16"),
        "store": folder,
        "slot": "some/engine",
        "identity": {},
    }
    return BuildJob(**{**values, **changes})


def test_a_build_that_kills_its_process_is_a_reason_and_no_end(
    preprocess: Any, tmp_path: Path
) -> None:
    builds = BuildProcesses()
    job = job_of(EndingBackend(), preprocess, tmp_path)
    with pytest.raises(ExportError, match="ended by signal 9, as when memory is short"):
        builds.build(job, print)
    builds.close()


def test_the_process_that_builds_leaves_the_processor_to_the_answers(
    preprocess: Any, tmp_path: Path
) -> None:
    builds = BuildProcesses()
    # Of our own session: niceness does not count between sessions. Of another process group:
    # Ctrl-C is not for it.
    niceness = max(os.getpriority(os.PRIO_PROCESS, 0), beside_module.NICENESS)
    expected = f"niceness {niceness}, session {os.getsid(0)}, leads its group: True"
    with pytest.raises(ExportError, match=expected):
        builds.build(job_of(TellingBackend(), preprocess, tmp_path), print)
    builds.close()


def test_a_network_that_changed_on_its_way_is_refused(preprocess: Any, tmp_path: Path) -> None:
    from affordance_grounding_core.runtimes.eager import EagerBackend

    builds = BuildProcesses()
    with pytest.raises(ExportError, match="has another code_sha256"):
        builds.build(job_of(EagerBackend(), preprocess, tmp_path), print)
    builds.close()


def test_closing_ends_the_process_and_the_tasks(
    preprocess: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sleeping(BuildProcesses):
        def _start(self, file: Path) -> Any:
            return super()._start(file)

    command = ["-c", "import sys; sys.stdin.read()"]
    real = beside_module.subprocess.Popen
    started = threading.Event()

    def popen(arguments: Sequence[str], **options: Any) -> Any:
        process = real([arguments[0], *command], **options)
        started.set()
        return process

    monkeypatch.setattr(beside_module.subprocess, "Popen", popen)
    builds, errors = BuildProcesses(), []

    def task() -> None:
        try:
            builds.build(job_of(EndingBackend(), preprocess, tmp_path), print)
        except BuildsEndedError as error:
            errors.append(str(error))

    builds.submit(task)
    builds.submit(lambda: errors.append("a task after the end"))
    assert started.wait(60)
    builds.close()
    assert errors == ["the runtime was closed during the build"]
