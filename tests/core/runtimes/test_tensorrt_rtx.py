"""TensorRT for RTX without a GPU: engines of its real builder; stand-ins only for the GPU."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from affordance_grounding_core import loading
from affordance_grounding_core.commands.cli import app
from affordance_grounding_core.errors import ExportError, RuntimeUnavailableError
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.runtimes import tensorrt_rtx
from affordance_grounding_core.runtimes.base import Candidate, Work
from affordance_grounding_core.runtimes.building.ladder import make_ladder
from affordance_grounding_core.runtimes.graph import GraphInput, actions_per_run, write_onnx
from affordance_grounding_core.runtimes.request import RuntimeRequest, parse_runtime
from affordance_grounding_core.runtimes.tensorrt_rtx import (
    TensorrtRtxBackend,
    build_engine,
    candidates_for,
    choose_flavours,
    parse_capability,
)
from tests.core.runtimes.small_networks import shape_of, small_network

needs_builder = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None,
    reason="tensorrt-rtx is not installed (Linux on x86 only)",
)

RUNNER = CliRunner()


def work_of(name: str, candidate: Candidate) -> Work:
    return Work(small_network(name), shape_of(name), candidate)


@needs_builder
@pytest.mark.parametrize("precision", ["fp16", "fp32"])
@pytest.mark.parametrize("name", ["action_head", "plsp", "selective_cl"])
def test_every_method_becomes_an_engine_for_gpus_that_are_not_here(
    name: str, precision: str, tmp_path: Path
) -> None:
    work = work_of(name, Candidate("tensorrt-rtx", precision, "sm86"))
    write_onnx(work.network, work.shape, tmp_path / "model.onnx", precision)
    content = (tmp_path / "model.onnx").read_bytes()
    assert len(build_engine(content, "sm86", "sm120")) > 10_000


@needs_builder
def test_an_engine_is_of_the_capabilities_it_is_built_for(tmp_path: Path) -> None:
    work = work_of("action_head", Candidate("tensorrt-rtx", "fp16", "sm86"))
    write_onnx(work.network, work.shape, tmp_path / "model.onnx", "fp16")
    content = (tmp_path / "model.onnx").read_bytes()
    capabilities = (("sm86",), ("sm120",), ("sm86", "sm120"))
    assert len({build_engine(content, *some) for some in capabilities}) == len(capabilities)


@pytest.fixture(scope="module")
def full_size() -> Callable[[str], tuple[Any, GraphInput]]:
    """Network and input shape of a model for images of 640 x 480 px, loaded once each."""

    @lru_cache(maxsize=1)  # tests of one model follow each other
    def load(model: str) -> tuple[Any, GraphInput]:
        grounder = loading.load_grounder(model, "eager")
        networks: list[Any] = []
        grounder.use_runtime(lambda eager: networks.append(eager) or eager)
        network, vocabulary = networks[0].network, len(grounder.actions)
        geometry = grounder.preprocess.geometry(480, 640)
        sides = (geometry.input_height, geometry.input_width)
        return network, GraphInput(*sides, actions_per_run(network, vocabulary), vocabulary)

    return load


@needs_builder
@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp16", "fp32"])
@pytest.mark.parametrize("model", ["default", "plsp-random", "selective-cl-random"])
def test_every_model_becomes_an_engine_at_its_full_size(
    full_size: Callable[[str], tuple[Any, GraphInput]], model: str, precision: str, tmp_path: Path
) -> None:
    network, shape = full_size(model)
    write_onnx(network, shape, tmp_path / "model.onnx", precision)
    content = (tmp_path / "model.onnx").read_bytes()
    engine = build_engine(content, "sm86", "sm120")
    assert len(engine) > 0.3 * len(content), "the weights are inside"


@needs_builder
def test_an_operator_that_tensorrt_lacks_is_named(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 4, 4])
    heat = helper.make_tensor_value_info("heat", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Det", ["pixels"], ["heat"])], "g", [value], [heat])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    with pytest.raises(
        ExportError, match=r"cannot read the graph: operator 'Det' \(unsupported_node\)"
    ):
        build_engine(model.SerializeToString(), "sm86")


def quantised_product(kind: int) -> bytes:
    """An ONNX graph of one fp16 product whose factors are rounded to another type and back."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT16, [1, 32, 64]) for name in "xy"]
    weight = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float16)
    constants = [
        numpy_helper.from_array(weight, "weight"),
        numpy_helper.from_array(np.float16(0.02), "scale"),
        helper.make_tensor("zero", kind, [], [0]),
    ]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["x_rounded"]),
        helper.make_node("DequantizeLinear", ["x_rounded", "scale", "zero"], ["x_back"]),
        helper.make_node("QuantizeLinear", ["weight", "scale", "zero"], ["weight_rounded"]),
        helper.make_node("DequantizeLinear", ["weight_rounded", "scale", "zero"], ["weight_back"]),
        helper.make_node("MatMul", ["x_back", "weight_back"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "product", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


@needs_builder
def test_the_builder_takes_rounding_that_is_written_in_the_graph() -> None:
    """What int8 and fp8 would be made of; docs/fast/runtimes.md says why they are not offered."""
    from onnx import TensorProto

    assert len(build_engine(quantised_product(TensorProto.INT8), "sm75", "sm86")) > 10_000
    in_fp8 = quantised_product(TensorProto.FLOAT8E4M3FN)
    assert len(build_engine(in_fp8, "sm89", "sm120")) > 10_000
    with pytest.raises(ExportError, match=r"cannot build for sm86: .*datatypes: fp8_e4m3"):
        build_engine(in_fp8, "sm86")


@needs_builder
def test_what_the_builder_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    work = work_of("action_head", Candidate("tensorrt-rtx", "bf16", "sm75"))
    with pytest.raises(ExportError, match=r"cannot build for sm75: .*HW-specific datatypes: b16"):
        TensorrtRtxBackend().build(work, tmp_path)


def test_turing_in_fp32_is_refused_in_one_sentence_before_anything_is_built() -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"not offered in fp32 on Turing"):
        candidates_for("7.5", "fp32")


@pytest.mark.parametrize(
    ("capability", "precision", "names"),
    [
        ("7.5", "auto", ["fp16-sm75"]),
        ("8.6", "auto", ["fp16-sm86", "bf16-sm86", "fp32-sm86"]),
        ("12.0", "bf16", ["bf16-sm120", "fp32-sm120"]),
    ],
)
def test_the_ladder_begins_with_fp16(capability: str, precision: str, names: list[str]) -> None:
    found = [candidate.name for candidate in candidates_for(capability, precision)]
    assert found == [f"tensorrt-rtx-{name}" for name in names]


@pytest.mark.parametrize("text", ["9.0", "8.7", "9", "ada", ""])
def test_other_gpus_are_refused_with_the_other_flavour_named(text: str) -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"other GPUs of NVIDIA: pip install .*\["):
        parse_capability(text)


@pytest.mark.parametrize("text", ["8.6", "86", "sm86", "SM_86"])
def test_capabilities_are_read_as_people_write_them(text: str) -> None:
    assert parse_capability(text) == "8.6"


def test_a_runtime_with_a_hyphen_takes_a_precision_too() -> None:
    assert parse_runtime("tensorrt-rtx") == ("tensorrt-rtx", "auto")
    assert parse_runtime("tensorrt-rtx-fp16") == ("tensorrt-rtx", "fp16")
    assert parse_runtime("tensorrt-fp16") == ("tensorrt", "fp16")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Stand in for the device queries of a GPU."""

    def of(capability: str, *, rtx: bool = True, tensorrt: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        major, _, minor = capability.partition(".")
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (int(major), int(minor)))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
        monkeypatch.setattr(tensorrt_rtx, "_has", lambda module: rtx)
        version = "2.14.0" if tensorrt else None
        monkeypatch.setattr(tensorrt_rtx, "installed_torch_tensorrt", lambda: version)

    return of


@pytest.mark.parametrize(
    ("capability", "rtx", "tensorrt", "names"),
    [
        ("8.9", True, False, ("tensorrt-rtx",)),
        ("8.9", True, True, ("tensorrt-rtx", "tensorrt")),
        ("8.0", True, True, ("tensorrt", "tensorrt-rtx")),
        ("9.0", True, True, ("tensorrt",)),
        ("8.7", False, True, ("tensorrt",)),
    ],
)
def test_the_flavour_follows_from_what_is_installed_and_the_gpu(
    gpu: Any, capability: str, rtx: bool, tensorrt: bool, names: tuple[str, ...]
) -> None:
    gpu(capability, rtx=rtx, tensorrt=tensorrt)
    assert choose_flavours() == names


@pytest.mark.parametrize(
    ("capability", "rtx", "fix"),
    [("8.9", False, r"\[tensorrt-rtx\]"), ("9.0", True, r"\[tensorrt\]"), ("8.7", False, r"\[ten")],
)
def test_what_is_missing_is_one_sentence_with_its_pip_line(
    gpu: Any, capability: str, rtx: bool, fix: str
) -> None:
    gpu(capability, rtx=rtx)
    with pytest.raises(RuntimeUnavailableError, match=rf"not installed for this GPU.*{fix}"):
        make_ladder(RuntimeRequest("tensorrt"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("runtime", ["tensorrt", "tensorrt-rtx"])
def test_without_a_gpu_that_is_said(runtime: str) -> None:
    with pytest.raises(RuntimeUnavailableError, match=f"runtime '{runtime}' needs an NVIDIA GPU"):
        make_ladder(RuntimeRequest(runtime))


@pytest.fixture
def small_model(
    make_grounder: Callable[[Any], Grounder], network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model `default` is a small network."""
    monkeypatch.setattr(loading, "_load_eager", lambda name, weights: make_grounder(network))


@needs_builder
@pytest.mark.usefixtures("small_model")
def test_export_builds_ahead_for_gpus_that_are_not_here(tmp_path: Path) -> None:
    arguments = ["export", "--runtime", "tensorrt-rtx", "--capability", "8.6"]
    arguments += ["--capability", "12.0", "-o", str(tmp_path / "engines")]
    outcome = RUNNER.invoke(app, [*arguments, "--json", str(tmp_path / "report.json")])
    assert outcome.exit_code == 0, outcome.output
    assert "640x480: tensorrt-rtx-fp16-sm86, built ahead" in outcome.output
    entries = json.loads((tmp_path / "report.json").read_text())["engines"]
    assert [entry["description"] for entry in entries] == [
        "tensorrt-rtx-fp16-sm86, built ahead",
        "tensorrt-rtx-fp16-sm120, built ahead",
    ]
    manifest = json.loads((Path(entries[0]["folder"]) / "manifest.json").read_text())
    assert manifest["is_gated"] is False
    assert manifest["gate"] is None
    assert manifest["identity"]["variant"] == "sm86"
    assert manifest["identity"]["precision"] == "fp16"
    assert set(manifest["identity"]["environment"]) == {"tensorrt_rtx"}
    assert len(manifest["identity"]["graph_sha256"]) == 64
    folder = json.loads((tmp_path / "engines/export.json").read_text())
    assert (folder["runtime"], folder["precision"]) == ("tensorrt-rtx", "auto")


@needs_builder
@pytest.mark.usefixtures("small_model")
def test_turing_is_refused_for_fp32_by_export(tmp_path: Path) -> None:
    arguments = ["export", "--runtime", "tensorrt-rtx-fp32", "--capability", "7.5"]
    outcome = RUNNER.invoke(app, [*arguments, "-o", str(tmp_path)])
    assert outcome.exit_code == 1
    assert "is not offered in fp32 on Turing" in str(outcome.exception)


def test_a_capability_without_its_runtime_is_refused() -> None:
    outcome = RUNNER.invoke(app, ["export", "--runtime", "openvino", "--capability", "8.6"])
    assert outcome.exit_code == 2
    assert "--runtime tensorrt-rtx" in " ".join(outcome.output.split())


class FakeRtxEngine:
    """What runs in place of an engine on a GPU: the network itself."""

    loaded = 0
    fault = 1.0

    def __init__(self, file: Path, work: Work) -> None:
        assert file.stat().st_size > 10_000
        type(self).loaded += 1
        self._work = work
        self.description = f"tensorrt-rtx-cuda-{work.candidate.precision}"

    def run(self, pixels: Any, actions: Any) -> Any:
        shape = self._work.shape
        indices = torch.arange(shape.vocabulary) if shape.answers_all else torch.from_numpy(actions)
        with torch.inference_mode():
            heat = self._work.network(torch.from_numpy(pixels), indices)
        return np.asarray(heat.numpy() * self.fault, np.float32)

    def close(self) -> None:
        """Nothing to free."""


@needs_builder
@pytest.mark.usefixtures("small_model")
def test_a_robot_loads_what_was_built_ahead_and_compares_it_once(
    gpu: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["export", "--runtime", "tensorrt-rtx", "--capability", "8.6", "-o", str(tmp_path)]
    assert RUNNER.invoke(app, arguments).exit_code == 0
    monkeypatch.setattr(tensorrt_rtx, "RtxEngine", FakeRtxEngine)
    machine = {"gpu": "a GPU", "driver": "1"}
    monkeypatch.setattr(TensorrtRtxBackend, "machine", lambda self: machine)

    def start() -> Grounder:
        FakeRtxEngine.loaded = 0
        # The stand-in GPU computes nothing: networks stay on the processor.
        grounder = loading.load_grounder(tmp_path)
        grounder.warm_up(480, 640)
        return grounder

    gpu("8.6")
    report = start().runtime_report
    assert report is not None
    assert report.description == "tensorrt-rtx-cuda-fp16"
    assert report.gate is not None
    assert report.gate.frames >= 16
    assert FakeRtxEngine.loaded == 2, "compared, then used"
    (kept,) = tmp_path.rglob("*.gate-*.json")
    assert json.loads(kept.read_text())["machine"] == machine
    start()
    assert FakeRtxEngine.loaded == 1, "the figures of this machine are kept"
    monkeypatch.setattr(TensorrtRtxBackend, "machine", lambda self: {"gpu": "another"})
    monkeypatch.setattr(FakeRtxEngine, "fault", 0.5)
    report = start().runtime_report
    assert report is not None
    assert "tensorrt-rtx-fp16-sm86 did not pass the gate" in report.rejected[0]
    assert report.degraded
    assert len(list(tmp_path.rglob("*.gate-*.json"))) == 2


def test_compiled_kernels_are_kept_for_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setenv("AFFORDANCE_GROUNDING_CACHE", str(tmp_path))
    file = tensorrt_rtx.jit_cache_file(b"engine")
    assert file.is_relative_to(tmp_path)
    assert file != tensorrt_rtx.jit_cache_file(b"another")
    tensorrt_rtx.keep_jit_cache(file, b"kernels")
    assert file.read_bytes() == b"kernels"
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    (tmp_path / "blocked").write_text("a file")
    tensorrt_rtx.keep_jit_cache(tmp_path / "blocked" / "jit" / "x", b"kernels")
    assert "compiled kernels cannot be kept" in caplog.text


def test_another_capability_has_an_engine_of_its_own() -> None:
    first = Candidate("tensorrt-rtx", "fp16", "sm86")
    assert first.name != replace(first, variant="sm89").name
