"""Engines answer only after the gate; whatever goes wrong, a right answer still comes."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from affordance_grounding_core.errors import ExportError, RuntimeUnavailableError
from affordance_grounding_core.runtimes.base import Candidate
from affordance_grounding_core.runtimes.eager import EagerRuntime, TorchEngine
from affordance_grounding_core.runtimes.gated import GatedRuntime
from affordance_grounding_core.runtimes.graph import GraphInput, StaticNetwork, actions_per_run
from affordance_grounding_core.runtimes.request import RuntimeRequest
from tests.core.runtimes.conftest import SmallNetwork

MakeRuntime = Callable[..., GatedRuntime]


@pytest.fixture
def pixels() -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(3, 56, 56)).astype(np.float32)


@pytest.fixture
def expected(network: Any, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return EagerRuntime(network, "cpu").run(pixels, [0, 1, 2])


def test_the_best_engine_that_passes_answers(
    make_runtime: MakeRuntime, backend: Any, pixels: Any, expected: Any
) -> None:
    runtime = make_runtime()
    np.testing.assert_allclose(runtime.run(pixels, [0, 1, 2]), expected, atol=1e-6)
    assert runtime.description == "fake-int8-cpu"
    report = runtime.report
    assert not report.degraded
    assert report.rejected == ()
    assert report.gate is not None
    assert report.gate.frames >= 16
    assert len(report.fingerprint) == 64
    assert report.folder is not None
    json.dumps(report.as_dict(), allow_nan=False)
    assert backend.builds == ["fake-int8 56x56"]


@pytest.mark.parametrize("actions", [[0], [2, 0], [1, 1, 2, 0]])
@pytest.mark.parametrize("kind", ["network", "network_of_single_actions"])
def test_actions_come_in_the_order_they_are_asked(
    make_runtime: MakeRuntime,
    pixels: Any,
    expected: Any,
    actions: list[int],
    kind: str,
    request: pytest.FixtureRequest,
) -> None:
    runtime = make_runtime(of=request.getfixturevalue(kind))
    got = runtime.run(pixels, actions)
    np.testing.assert_allclose(got, expected[actions], atol=1e-6)
    assert runtime.description == "fake-int8-cpu"


class HeatAndMasks(SmallNetwork):
    """Answers, like a network with part masks, all heat first and then as many other maps."""

    def forward(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        heat = super().forward(pixels, actions)
        return torch.cat([heat, 1.0 - heat])


@pytest.mark.parametrize("at_once", [True, False])
def test_part_masks_follow_the_heat_of_the_actions_asked(
    make_runtime: MakeRuntime, pixels: Any, at_once: bool
) -> None:
    network = HeatAndMasks(at_once)
    runtime = make_runtime(of=network)
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels)[None], torch.tensor([2, 0]))
    got = runtime.run(pixels, [2, 0])
    assert runtime.description == "fake-int8-cpu"
    np.testing.assert_allclose(got, expected.numpy(), atol=1e-6)


def not_finite(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    return heat * np.float32("nan")


def mirrored(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(heat[..., ::-1])


def off_by_much(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    return heat * 0.5


def other_shape(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    return heat[:, :2]


@pytest.mark.parametrize("fault", [not_finite, mirrored, off_by_much, other_shape])
def test_an_engine_that_computes_wrongly_never_answers(
    make_runtime: MakeRuntime, backend: Any, pixels: Any, expected: Any, fault: Any
) -> None:
    backend.faults["fake-int8"] = fault
    runtime = make_runtime()
    np.testing.assert_allclose(runtime.run(pixels, [0, 1, 2]), expected, atol=1e-6)
    assert runtime.description == "fake-bf16-cpu"
    assert runtime.report.degraded
    (reason,) = runtime.report.rejected
    assert reason.startswith("fake-int8 did not pass the gate: ")


def test_another_variant_of_the_precision_is_as_good(
    make_runtime: MakeRuntime, backend: Any, pixels: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rungs = (Candidate("fake", "int8"), Candidate("fake", "int8", "dynamic"))
    monkeypatch.setattr(backend, "ladder", lambda precision: rungs)
    backend.faults["fake-int8"] = mirrored
    runtime = make_runtime()
    runtime.run(pixels, [0])
    assert runtime.description == "fake-int8-dynamic-cpu"
    assert not runtime.report.degraded
    assert len(runtime.report.rejected) == 1


def test_what_failed_the_gate_is_not_built_again(
    make_runtime: MakeRuntime, backend: Any, pixels: Any
) -> None:
    backend.faults["fake-int8"] = mirrored
    make_runtime().run(pixels, [0])
    again = make_runtime()
    again.run(pixels, [0])
    assert backend.builds == ["fake-int8 56x56", "fake-bf16 56x56"]
    assert again.description == "fake-bf16-cpu"
    assert again.report.degraded


def test_with_no_rung_left_pytorch_answers(
    make_runtime: MakeRuntime, backend: Any, pixels: Any, expected: Any, caplog: Any
) -> None:
    for name in ("fake-int8", "fake-bf16", "fake-fp32"):
        backend.faults[name] = not_finite
    runtime = make_runtime()
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(runtime.run(pixels, [0, 1, 2]), expected)
    assert runtime.description == "eager-cpu-fp32"
    assert len(runtime.report.rejected) == 3
    assert runtime.report.gate is None
    assert "are answered by eager-cpu-fp32" in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        ExportError("operator is not supported"),
        MemoryError("out of memory"),
        RuntimeError("CUDA out of memory"),
        OSError("no space left on device"),
        RuntimeUnavailableError("library is broken"),
    ],
)
def test_a_build_that_fails_gives_way_to_the_next(
    make_runtime: MakeRuntime, backend: Any, pixels: Any, expected: Any, error: Exception
) -> None:
    backend.broken["fake-int8"] = error
    runtime = make_runtime()
    np.testing.assert_allclose(runtime.run(pixels, [0, 1, 2]), expected, atol=1e-6)
    assert runtime.description == "fake-bf16-cpu"
    assert str(error) in runtime.report.rejected[0]


def test_where_nothing_may_take_its_place_a_failure_is_an_error(
    make_runtime: MakeRuntime, backend: Any, pixels: Any
) -> None:
    backend.faults["fake-bf16"] = mirrored
    runtime = make_runtime(RuntimeRequest("openvino", "bf16", fall_back=False))
    with pytest.raises(ExportError, match=r"fake-bf16 did not pass the gate.*nothing may take"):
        runtime.run(pixels, [0])


@pytest.mark.parametrize("actions", [[0], [2, 0], [1, 1, 2, 0]])
@pytest.mark.parametrize(
    "network", [SmallNetwork(), SmallNetwork(at_once=False), HeatAndMasks(at_once=False)]
)
def test_an_image_that_stays_on_the_engines_device_has_the_same_answer(
    make_runtime: MakeRuntime,
    backend: Any,
    preprocess: Any,
    actions: list[int],
    network: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    expected = make_runtime(of=network).image_maps(image, preprocess, actions)
    engine = TorchEngine(
        StaticNetwork(network, GraphInput(56, 56, actions_per_run(network, 3), 3)),
        "tensors-cpu",
        "cpu",
        answers_all=network.answers_all_at_once,
    )
    monkeypatch.setattr(backend, "load", lambda work, folder: engine)
    monkeypatch.setattr(engine, "close", lambda: None)  # the gate closes it, and loads it again
    runtime = make_runtime(of=network, stages_on_device=True)
    runtime.prepare(56, 56)
    monkeypatch.setattr(engine, "run", lambda *_: pytest.fail("it left the device"))
    answer = runtime.image_maps(image, preprocess, actions)
    assert runtime.description == "tensors-cpu"
    assert answer.is_finite
    assert answer.values.shape == expected.values.shape
    np.testing.assert_allclose(answer.values, expected.values, atol=1e-4)


def test_an_engine_that_fails_in_use_is_replaced_within_the_same_frame(
    make_runtime: MakeRuntime, backend: Any, pixels: Any, expected: Any
) -> None:
    runtime = make_runtime()
    runtime.prepare(56, 56)
    failing = backend.engines[-1]

    def run_out_of_memory(heat: NDArray[np.float32]) -> NDArray[np.float32]:
        raise RuntimeError("CUDA out of memory")

    backend.faults["fake-int8"] = run_out_of_memory
    np.testing.assert_allclose(runtime.run(pixels, [0, 1, 2]), expected, atol=1e-6)
    assert failing.closed
    assert runtime.description == "fake-bf16-cpu"
    assert "failed in use (CUDA out of memory)" in runtime.report.rejected[0]
    np.testing.assert_allclose(runtime.run(pixels, [0, 1, 2]), expected, atol=1e-6)


def test_every_input_size_has_an_engine_of_its_own(
    make_runtime: MakeRuntime, backend: Any, pixels: Any
) -> None:
    runtime = make_runtime()
    runtime.run(pixels, [0])
    wide = np.zeros((3, 42, 84), np.float32)
    assert runtime.run(wide, [0]).shape == (1, 3, 6)
    runtime.run(pixels, [0])
    assert backend.builds == ["fake-int8 56x56", "fake-int8 42x84"]


def test_a_second_process_loads_what_the_first_built(
    make_runtime: MakeRuntime, backend: Any, pixels: Any
) -> None:
    first = make_runtime().prepare(56, 56)
    second = make_runtime().prepare(56, 56)
    assert backend.builds == ["fake-int8 56x56"]
    assert second == first


@pytest.mark.parametrize("field", ["fake", "gpu"])
def test_an_engine_of_another_version_or_device_is_built_again(
    make_runtime: MakeRuntime, backend: Any, caplog: Any, field: str
) -> None:
    make_runtime().prepare(56, 56)
    backend.versions[field] = "another"
    with caplog.at_level(logging.WARNING):
        make_runtime().prepare(56, 56)
    assert backend.builds == ["fake-int8 56x56"] * 2
    assert f"environment.{field} ('another' wanted" in caplog.text


def test_other_weights_have_an_engine_of_their_own(
    make_runtime: MakeRuntime, backend: Any, network: Any
) -> None:
    make_runtime().prepare(56, 56)
    network.qkv.bias[0] += 1e-3
    make_runtime().prepare(56, 56)
    assert backend.builds == ["fake-int8 56x56"] * 2


def test_auto_answers_a_few_frames_with_pytorch_before_it_builds(
    make_runtime: MakeRuntime, backend: Any, pixels: Any, expected: Any
) -> None:
    runtime = make_runtime(RuntimeRequest("auto", patience=3, wait=True))
    for _ in range(3):
        np.testing.assert_array_equal(runtime.run(pixels, [0, 1, 2]), expected)
        assert runtime.description == "eager-cpu-fp32"
        assert not runtime.report.degraded
    runtime.run(pixels, [0])
    assert runtime.description == "fake-int8-cpu"
    assert backend.builds == ["fake-int8 56x56"]


def test_auto_uses_a_stored_engine_at_once(
    make_runtime: MakeRuntime, backend: Any, pixels: Any
) -> None:
    make_runtime(RuntimeRequest("auto", wait=True)).prepare(56, 56)
    runtime = make_runtime(RuntimeRequest("auto", wait=True))
    runtime.run(pixels, [0])
    assert runtime.description == "fake-int8-cpu"
    assert len(backend.builds) == 1


def test_auto_does_not_build_what_it_finds_stale_for_a_single_frame(
    make_runtime: MakeRuntime, backend: Any, pixels: Any
) -> None:
    make_runtime(RuntimeRequest("auto", wait=True)).prepare(56, 56)
    backend.versions["fake"] = "2.0"
    runtime = make_runtime(RuntimeRequest("auto", wait=True))
    runtime.run(pixels, [0])
    assert runtime.description == "eager-cpu-fp32"
    assert len(backend.builds) == 1


def test_a_read_only_store_costs_time_but_no_answer(
    make_runtime: MakeRuntime, backend: Any, pixels: Any, expected: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("a file where the folder should be")
    runtime = make_runtime(store=tmp_path / "file" / "engines")
    np.testing.assert_allclose(runtime.run(pixels, [0, 1, 2]), expected, atol=1e-6)
    folder = runtime.report.folder
    assert folder is not None
    runtime.close()
    assert not folder.exists()


def test_a_closed_runtime_says_so(make_runtime: MakeRuntime, backend: Any, pixels: Any) -> None:
    runtime = make_runtime()
    runtime.prepare(56, 56)
    runtime.close()
    assert all(engine.closed for engine in backend.engines)
    with pytest.raises(RuntimeUnavailableError, match="closed"):
        runtime.run(pixels, [0])


def test_the_gate_is_part_of_the_stored_engine(make_runtime: MakeRuntime) -> None:
    report = make_runtime().prepare(56, 56)
    assert report.folder is not None
    manifest = json.loads((report.folder / "manifest.json").read_text())
    assert manifest["gate"]["frames"] >= 16
    identity = manifest["identity"]
    assert identity["precision"] == "int8"
    assert identity["options"] == {"level": 3}
    assert identity["environment"] == {"fake": "1.0", "gpu": "none"}
    assert identity["input"] == {"height": 56, "width": 56, "actions": 3, "vocabulary": 3}
    assert len(identity["weights_sha256"]) == 64
    assert len(identity["code_sha256"]) == 64


def test_warm_up_builds_for_the_images_that_will_come(
    make_runtime: MakeRuntime, make_grounder: Any, network: Any, backend: Any, preprocess: Any
) -> None:
    grounder = make_grounder(network)
    grounder.preprocess = type(preprocess)(replace(preprocess.config, policy="aspect"))
    assert grounder.runtime_report is None
    grounder.use_runtime(lambda _: make_runtime(RuntimeRequest("auto", wait=True)))
    grounder.warm_up(300, 600)
    assert backend.builds == ["fake-int8 42x84"]
    assert grounder.runtime == "fake-int8-cpu"
    assert grounder.runtime_report.description == "fake-int8-cpu"
