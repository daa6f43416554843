"""Recorded steps answer as plain ones do; a stand-in for CUDA graphs records on the processor."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from affordance_grounding_core.inference import device_graphs
from affordance_grounding_core.inference.device_graphs import DeviceGraphs, Replay, Step
from affordance_grounding_core.inference.device_stages import (
    DeviceStages,
    _heat_weights,
    _resize_weights,
)
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.runtimes.eager import TorchEngine

PROCESSOR = torch.device("cpu")


class Recorder:
    """Does what a CUDA graph does: fixed buffers in, and one answer that is overwritten."""

    def __init__(self) -> None:
        self.recorded = 0
        self.replayed = 0

    def __call__(self, step: Step, inputs: Sequence[torch.Tensor]) -> Replay:
        self.recorded += 1
        buffers = [value.clone() for value in inputs]
        answer = step(*buffers).clone()

        def replay(values: Sequence[torch.Tensor]) -> torch.Tensor:
            self.replayed += 1
            for buffer, value in zip(buffers, values, strict=True):
                buffer.copy_(value)
            return answer.copy_(step(*buffers))

        return replay


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def graphs(recorder: Recorder) -> DeviceGraphs:
    return DeviceGraphs(PROCESSOR, recorder)


def double(values: torch.Tensor) -> torch.Tensor:
    return values * 2


def test_a_step_that_comes_again_is_recorded_and_answers_the_values_of_each_run(
    graphs: DeviceGraphs, recorder: Recorder
) -> None:
    for number in range(5):
        answer = graphs.run("double", double, torch.full((3,), float(number)))
        assert answer.tolist() == [2.0 * number] * 3
    assert recorder.recorded == 1
    assert recorder.replayed == 5 - device_graphs.PLAIN_RUNS


def test_steps_and_shapes_are_told_apart(graphs: DeviceGraphs, recorder: Recorder) -> None:
    for _ in range(3):
        assert graphs.run("a", double, torch.ones(2)).tolist() == [2, 2]
        assert graphs.run("a", double, torch.ones(2, 1)).tolist() == [[2], [2]]
        assert graphs.run("a", double, torch.ones(2, dtype=torch.int64)).dtype == torch.int64
        assert graphs.run("b", torch.neg, torch.ones(2)).tolist() == [-1, -1]
    assert recorder.recorded == 4


def test_on_a_processor_nothing_is_recorded() -> None:
    assert not DeviceGraphs(PROCESSOR).records
    assert not DeviceGraphs(torch.device("meta")).records


def test_recording_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert DeviceGraphs(torch.device("cuda")).records
    monkeypatch.setenv(device_graphs.GRAPHS_VARIABLE, "0")
    assert not DeviceGraphs(torch.device("cuda")).records


def test_a_step_that_cannot_be_recorded_goes_on_plainly_and_is_named_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(step: Step, inputs: Sequence[torch.Tensor]) -> Replay:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    graphs = DeviceGraphs(PROCESSOR, refuse)
    with caplog.at_level(logging.WARNING):
        answers = [graphs.run("double", double, torch.ones(1)).item() for _ in range(6)]
    assert answers == [2.0] * 6
    assert caplog.text.count("not permitted when stream is capturing") == 1
    assert "and more" not in caplog.text
    assert not graphs.records


def test_only_so_many_are_kept(graphs: DeviceGraphs, recorder: Recorder) -> None:
    for size in range(1, device_graphs.KEPT + 3):
        for _ in range(3):
            graphs.run("double", double, torch.ones(size))
    recorded = recorder.recorded
    graphs.run("double", double, torch.ones(device_graphs.KEPT + 2))
    assert recorder.recorded == recorded, "the newest is still there"
    for _ in range(3):
        graphs.run("double", double, torch.ones(1))
    assert recorder.recorded == recorded + 1, "the oldest was given up"


def test_closed_graphs_are_recorded_again(graphs: DeviceGraphs, recorder: Recorder) -> None:
    for _ in range(2):
        for _ in range(3):
            graphs.run("double", double, torch.ones(1))
        graphs.close()
    assert recorder.recorded == 2


@pytest.mark.parametrize("policy", ["squash", "letterbox", "aspect"])
def test_recorded_stages_are_the_plain_ones(
    graphs: DeviceGraphs, recorder: Recorder, policy: str
) -> None:
    preprocess = Preprocess(PreprocessConfig(policy, 56, 14))  # type: ignore[arg-type]
    plain, recorded = (
        DeviceStages(preprocess, PROCESSOR),
        DeviceStages(preprocess, PROCESSOR, graphs),
    )
    random = np.random.default_rng(0)
    for number in range(5):
        # Weights that nothing but the recorded step holds.
        _heat_weights.cache_clear()
        _resize_weights.cache_clear()
        for height, width in ((60, 80), (30, 90), (56, 56)):
            image = random.integers(0, 256, (height, width, 3), np.uint8)
            pixels, geometry = recorded.to_pixels(image)
            expected, _ = plain.to_pixels(image)
            assert torch.equal(pixels, expected)
            heat = torch.from_numpy(random.random((2, 4, 4), np.float32))
            heat[0, 1, 1] = np.nan if number == 4 else 0.5
            ours, theirs = (one.to_image(heat, geometry) for one in (recorded, plain))
            np.testing.assert_array_equal(ours.values, theirs.values)
            assert ours.is_finite == theirs.is_finite == (number < 4)
    assert recorder.replayed == 2 * 3 * (5 - device_graphs.PLAIN_RUNS)


def test_an_engine_s_answer_is_the_caller_s_own(graphs: DeviceGraphs, recorder: Recorder) -> None:
    engine = TorchEngine(
        lambda pixels: (double(pixels),), "e", "cpu", answers_all=True, graphs=graphs
    )
    indices = torch.zeros(1, dtype=torch.int64)
    answers = [engine.run_tensor(torch.full((2,), float(n)), indices) for n in range(5)]
    assert [answer.tolist() for answer in answers] == [[2.0 * n] * 2 for n in range(5)]
    assert recorder.replayed == 3
    engine.close()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_cuda_graph_answers_the_values_of_each_run() -> None:
    device = torch.device("cuda")
    graphs = DeviceGraphs(device)
    weights = torch.randn(64, 64, device=device)
    with torch.inference_mode():
        for number in range(5):
            values = torch.full((64, 64), float(number), device=device)
            answer = graphs.run("product", lambda one: one @ weights, values)
            torch.testing.assert_close(answer, values @ weights)
    assert graphs.records
