"""The real runtimes on a small network: built, gated, stored, loaded, equal to PyTorch."""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from affordance_grounding_core.errors import RuntimeUnavailableError
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.inference.network import KeepsFloatingPoint
from affordance_grounding_core.loading import choose_runtime
from affordance_grounding_core.runtimes.base import Work
from affordance_grounding_core.runtimes.building import ladder as ladder_module
from affordance_grounding_core.runtimes.building.ladder import make_ladder
from affordance_grounding_core.runtimes.eager import EagerRuntime, half_precisions
from affordance_grounding_core.runtimes.engines.store import store_directory
from affordance_grounding_core.runtimes.gate import LIMITS, judge
from affordance_grounding_core.runtimes.graph import GraphInput
from affordance_grounding_core.runtimes.request import RuntimeRequest, parse_runtime


def needs(module: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(module) is None
    return pytest.mark.skipif(missing, reason=f"{module} is not installed")


needs_bf16 = pytest.mark.skipif(
    "bf16" not in half_precisions("cpu"), reason="this processor does not compute in bf16"
)

RUNTIMES = [
    pytest.param("onnx", "fp32", marks=[needs("onnxruntime"), needs("onnxscript")]),
    pytest.param("openvino", "fp32", marks=needs("openvino")),
    pytest.param("openvino", "bf16", marks=[needs("openvino"), needs_bf16]),
    pytest.param("openvino", "int8", marks=[needs("openvino"), needs("nncf")]),
    pytest.param("eager", "bf16", marks=needs_bf16),
]


@pytest.mark.parametrize(("runtime", "precision"), RUNTIMES)
@pytest.mark.parametrize("kind", ["network", "network_of_single_actions"])
def test_a_runtime_answers_as_pytorch_does(
    make_grounder: Callable[[Any], Grounder],
    request: pytest.FixtureRequest,
    tmp_path: Path,
    runtime: str,
    precision: str,
    kind: str,
) -> None:
    network = request.getfixturevalue(kind)
    grounder = make_grounder(network)
    wanted = RuntimeRequest(runtime, precision, store=tmp_path, fall_back=False)
    grounder.use_runtime(lambda eager: choose_runtime(grounder, eager, wanted))
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    got = grounder.heatmaps(image, ["pour", "hold"])
    expected = make_grounder(network).heatmaps(image, ["pour", "hold"])
    assert np.abs(got - expected).max() <= LIMITS[precision].max_abs
    assert grounder.runtime.startswith(f"{runtime}-cpu-{precision}")
    report = grounder.runtime_report
    assert report is not None
    assert report.gate is not None
    assert judge(report.gate, LIMITS[precision]) == []
    assert report.folder is not None
    assert report.folder.is_relative_to(tmp_path)
    grounder.close()


@needs("openvino")
@needs("nncf")
@pytest.mark.parametrize("rung", [0, 1])
def test_what_nncf_prints_is_in_our_log(
    network: Any, tmp_path: Path, rung: int, capfd: Any, caplog: Any
) -> None:
    pictures = [np.random.default_rng(0).normal(size=(1, 3, 56, 56)).astype(np.float32)]
    backend = ladder_module.BACKENDS["openvino"]()
    candidate = backend.ladder("int8")[rung]
    work = Work(network, GraphInput(56, 56, 3, 3), candidate, calibration=lambda: pictures)
    with caplog.at_level(logging.DEBUG, "affordance_grounding_core"):
        backend.build(work, tmp_path)
        logging.getLogger("nncf").error("something")
    assert capfd.readouterr() == ("", "")
    assert any("int8: " in record.getMessage() for record in caplog.records)
    assert ("affordance_grounding_core.runtimes.openvino", logging.ERROR, "nncf: something") in (
        caplog.record_tuples
    )
    assert type(logging.getLogger("a new one")) is logging.Logger


@needs("openvino")
@needs("nncf")
def test_int8_by_groups_stands_in_for_int8_by_calibration(network: Any, tmp_path: Path) -> None:
    backend = ladder_module.BACKENDS["openvino"]()
    calibrated, grouped = backend.ladder("int8")[:2]
    assert (calibrated.precision, grouped.precision) == ("int8", "int8")
    work = Work(network, GraphInput(56, 56, 3, 3), grouped)
    backend.build(work, tmp_path)
    engine = backend.load(work, tmp_path)
    assert engine.description == "openvino-cpu-int8-dynamic"
    pixels = np.random.default_rng(0).normal(size=(1, 3, 56, 56)).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels), torch.arange(3)).numpy()
    assert np.abs(engine.run(pixels, np.arange(3)) - expected).max() < 0.05


@pytest.mark.slow
def test_the_compiled_runtime_answers_as_pytorch_does(
    make_grounder: Callable[[Any], Grounder], network: Any, tmp_path: Path
) -> None:
    wanted = RuntimeRequest("compile", "fp32", store=tmp_path, fall_back=False)
    for _ in range(2):  # compiled; then loaded from the store
        grounder = make_grounder(network)
        grounder.use_runtime(lambda eager, into=grounder: choose_runtime(into, eager, wanted))
        image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
        expected = make_grounder(network).heatmaps(image, ["pour"])
        np.testing.assert_allclose(grounder.heatmaps(image, ["pour"]), expected, atol=1e-4)
        assert grounder.runtime == "compile-cpu-fp32"


def test_eager_float32_is_the_reference_itself(make_grounder: Any, network: Any) -> None:
    grounder = make_grounder(network)
    reference = EagerRuntime(network, "cpu")
    for precision in ("auto", "fp32"):
        assert choose_runtime(grounder, reference, RuntimeRequest("eager", precision)) is reference


@pytest.mark.parametrize("imported_before", [False, True])
def test_openvino_and_nncf_report_to_nobody(
    monkeypatch: pytest.MonkeyPatch, imported_before: bool
) -> None:
    """Their makers' usage reports are switched off wherever this package imports them."""
    pytest.importorskip("openvino")
    from affordance_grounding_core.runtimes.openvino import import_openvino

    sent: list[object] = []
    sender = ModuleType("openvino_telemetry.utils.sender")
    sender.TelemetrySender = type(  # type: ignore[attr-defined]
        "TelemetrySender", (), {"send": lambda self, *event: sent.append(event)}
    )
    monkeypatch.delitem(sys.modules, "openvino_telemetry", raising=False)
    if imported_before:
        monkeypatch.setitem(sys.modules, "openvino_telemetry", ModuleType("openvino_telemetry"))
        monkeypatch.setitem(sys.modules, sender.__name__, sender)
    import_openvino()
    if imported_before:
        sender.TelemetrySender().send("backend", "event")
        assert sent == []
    else:
        assert sys.modules["openvino_telemetry"] is None


@pytest.mark.parametrize(
    ("runtime", "module", "fix"),
    [
        ("onnx", "onnxruntime", r"pip install 'affordance-grounding-core\[onnx\]'"),
        ("openvino", "openvino", r"pip install 'affordance-grounding-core\[openvino\]'"),
    ],
)
def test_a_missing_library_is_named_with_the_fix(
    monkeypatch: pytest.MonkeyPatch, runtime: str, module: str, fix: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RuntimeUnavailableError, match=fix):
        make_ladder(RuntimeRequest(runtime))


def test_auto_does_without_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(ladder_module, "default_device", lambda: "cpu")
    ladder = make_ladder(RuntimeRequest("auto"))
    assert ladder.candidates == ()
    assert len(ladder.refused) == 2
    with pytest.raises(RuntimeUnavailableError, match="no runtime here has precision 'int8'"):
        make_ladder(RuntimeRequest("auto", "int8"))


@pytest.mark.parametrize(
    ("runtime", "precision"),
    [("onnx", "int8"), ("onnx", "bf16"), ("openvino", "fp16"), ("eager", "int8")],
)
def test_a_precision_a_runtime_does_not_have_is_refused(runtime: str, precision: str) -> None:
    if runtime != "eager":
        pytest.importorskip("onnxruntime" if runtime == "onnx" else runtime)
    with pytest.raises(RuntimeUnavailableError, match=f"has no precision '{precision}' on this"):
        make_ladder(RuntimeRequest(runtime, precision))


@needs("openvino")
@needs("nncf")
def test_int8_leaves_what_asks_for_it_in_floating_point(network: Any, tmp_path: Path) -> None:
    import openvino

    class KeptConvolution(torch.nn.Conv2d, KeepsFloatingPoint):
        pass

    network.mixing.__class__ = KeptConvolution
    shape = GraphInput(56, 56, 3, 3)
    pictures = [np.random.default_rng(0).normal(size=(1, 3, 56, 56)).astype(np.float32)]
    backend = ladder_module.BACKENDS["openvino"]()
    work = Work(network, shape, backend.ladder("int8")[0], calibration=lambda: pictures)
    backend.build(work, tmp_path)
    model = openvino.Core().read_model(tmp_path / "model.xml")
    weights = {
        operator.get_friendly_name().partition("/")[0]: operator.input_value(1).get_node()
        for operator in model.get_ops()
        if operator.get_type_name() == "Convolution"
    }
    kinds = sorted(node.get_type_name() for node in weights.values())
    assert kinds == ["Constant", "Multiply"], "one as it was, one with scaled integers"


@needs("openvino")
def test_a_lower_precision_falls_back_to_higher_ones() -> None:
    names = [
        candidate.precision for candidate in make_ladder(RuntimeRequest("openvino")).candidates
    ]
    assert names[-1] == "fp32"
    assert "int8" not in names, "int8 must be asked for"
    alone = make_ladder(RuntimeRequest("openvino", "fp32", fall_back=False))
    assert [candidate.name for candidate in alone.candidates] == ["openvino-fp32"]


@pytest.mark.parametrize(
    ("text", "precision", "parsed"),
    [
        ("auto", None, ("auto", "auto")),
        ("openvino", "int8", ("openvino", "int8")),
        ("openvino-int8", None, ("openvino", "int8")),
        ("openvino-int8", "auto", ("openvino", "int8")),
        ("tensorrt-fp16", "fp16", ("tensorrt", "fp16")),
    ],
)
def test_runtime_and_precision_can_be_one_word(
    text: str, precision: str | None, parsed: tuple[str, str]
) -> None:
    assert parse_runtime(text, precision) == parsed


def test_contradicting_precisions_are_refused() -> None:
    with pytest.raises(RuntimeUnavailableError, match="give one of them"):
        parse_runtime("openvino-int8", "bf16")


@pytest.mark.parametrize(("runtime", "precision"), [("opnvino", "auto"), ("eager", "fp8")])
def test_unknown_names_are_refused(runtime: str, precision: str) -> None:
    with pytest.raises(RuntimeUnavailableError, match="is not available; expected one of"):
        RuntimeRequest(runtime, precision)


def test_the_store_can_be_named_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AFFORDANCE_GROUNDING_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AFFORDANCE_GROUNDING_ENGINES", raising=False)
    assert store_directory() == tmp_path / "cache" / "engines"
    monkeypatch.setenv("AFFORDANCE_GROUNDING_ENGINES", str(tmp_path / "mine"))
    assert store_directory() == tmp_path / "mine"
