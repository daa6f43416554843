"""TensorRT as far as it can be verified without a GPU, and the tests that wait for one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.transformer_backbone import TransformerSizes
from affordance_grounding_core.errors import ExportError, RuntimeUnavailableError
from affordance_grounding_core.loading import choose_runtime
from affordance_grounding_core.methods.action_head.config import ActionHeadConfig
from affordance_grounding_core.methods.action_head.network import ActionHead, ActionHeadNetwork
from affordance_grounding_core.runtimes import tensorrt
from affordance_grounding_core.runtimes.base import Candidate, Work
from affordance_grounding_core.runtimes.building.ladder import make_ladder
from affordance_grounding_core.runtimes.gate import LIMITS, judge
from affordance_grounding_core.runtimes.graph import GraphInput, export_network
from affordance_grounding_core.runtimes.request import RuntimeRequest
from affordance_grounding_core.runtimes.tensorrt import (
    DECOMPOSED,
    TensorrtBackend,
    check_keywords,
    compile_options,
    parameters,
)
from tests.core.runtimes.torch_tensorrt_sources import (
    FOLDER_VARIABLE,
    Sources,
    installed_folder,
)

RECENT = frozenset(
    {
        "arg_inputs",
        "attn_bias_is_causal",
        "cache_built_engines",
        "decompose_attention",
        "disable_tf32",
        "min_block_size",
        "require_full_compilation",
        "reuse_cached_engines",
        "use_fp32_acc",
    }
)
JETSON = (RECENT | {"use_explicit_typing", "enabled_precisions"}) - {
    "attn_bias_is_causal",
    "decompose_attention",
}

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU")


@pytest.fixture(scope="module")
def sources() -> Sources:
    folder = installed_folder()
    if folder is None:
        pytest.skip(
            "torch-tensorrt is not installed; its wheel can also be unpacked and named by "
            f"{FOLDER_VARIABLE}"
        )
    return Sources(folder)


def action_head_network() -> nn.Module:
    backbone = Dinov2(sizes=TransformerSizes(56, 14, width=24, depth=3, heads=2))
    config = ActionHeadConfig(actions=3, feature_width=24, blocks=(1, 2), width=16)
    return ActionHeadNetwork(backbone, ActionHead(config)).eval()


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_every_operator_of_the_default_network_has_a_converter(
    sources: Sources, precision: str
) -> None:
    graph = export_network(action_head_network(), GraphInput(56, 70, 3, 3), precision)
    operators = sources.lowered(graph.program)
    assert "aten.scaled_dot_product_attention.default" in operators
    assert sources.uncovered(operators) == set()


def test_an_operator_without_a_converter_would_be_noticed(sources: Sources) -> None:
    class Unusual(nn.Module):
        def forward(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
            return torch.linalg.qr(pixels[0])[0]

    graph = export_network(Unusual(), GraphInput(8, 8, 1, 1))
    assert sources.uncovered(sources.lowered(graph.program)) == {"aten.linalg_qr.default"}


@pytest.mark.parametrize("precision", ["fp16", "bf16", "fp32"])
@pytest.mark.parametrize("variant", ["", DECOMPOSED])
def test_every_keyword_is_in_the_signature(sources: Sources, precision: str, variant: str) -> None:
    known = sources.parameters("dynamo/_compiler.py", "compile")
    options = compile_options(precision, variant, known)
    check_keywords(known, {"arg_inputs", *options})
    check_keywords(sources.parameters("_compile.py", "save"), {"arg_inputs", "file_path"})
    if variant:
        assert "aten.scaled_dot_product_attention" in sources.own_decompositions


def test_precision_lies_in_the_graph_alone() -> None:
    options = compile_options("fp16", "", RECENT)
    assert "enabled_precisions" not in options
    assert "use_explicit_typing" not in options
    assert options["attn_bias_is_causal"] is False
    assert options["require_full_compilation"] is True
    assert options["disable_tf32"] is True
    assert options["use_fp32_acc"] is True
    assert options["cache_built_engines"] is options["reuse_cached_engines"] is False


def test_a_jetson_is_asked_for_strong_typing() -> None:
    options = compile_options("fp16", "", JETSON)
    assert options["use_explicit_typing"] is True
    check_keywords(JETSON, options)


def test_an_option_that_would_be_swallowed_is_refused() -> None:
    options = compile_options("fp16", DECOMPOSED, JETSON)
    with pytest.raises(ExportError, match=r"\['decompose_attention'\] and would ignore"):
        check_keywords(JETSON, options)
    with pytest.raises(ExportError, match="would ignore"):
        check_keywords(RECENT - {"require_full_compilation"}, compile_options("fp32", "", RECENT))


def test_what_kwargs_swallow_is_no_parameter() -> None:
    def compile_like(program: Any, *, min_block_size: int = 5, **kwargs: Any) -> None:
        """Takes what the real one takes."""

    assert parameters(compile_like) == {"program", "min_block_size"}


class FakeLibrary(SimpleNamespace):
    """Stands for torch_tensorrt: records what it is asked, returns the program's module."""

    def __init__(self, explicit_typing: bool = False) -> None:
        self.asked: dict[str, Any] = {}
        recent = not explicit_typing

        def compile_recent(
            program: Any,
            arg_inputs: Any = None,
            attn_bias_is_causal: bool = True,
            cache_built_engines: bool = True,
            decompose_attention: bool = False,
            disable_tf32: bool = False,
            min_block_size: int = 5,
            require_full_compilation: bool = False,
            reuse_cached_engines: bool = True,
            use_fp32_acc: bool = False,
            **kwargs: Any,
        ) -> Any:
            self.asked |= {**locals(), "program": program}
            return program.module()

        def compile_jetson(
            program: Any,
            arg_inputs: Any = None,
            cache_built_engines: bool = True,
            disable_tf32: bool = False,
            min_block_size: int = 5,
            require_full_compilation: bool = False,
            reuse_cached_engines: bool = True,
            use_fp32_acc: bool = False,
            use_explicit_typing: bool = False,
            **kwargs: Any,
        ) -> Any:
            self.asked |= {**locals(), "program": program}
            return program.module()

        def save(module: Any, file_path: str, arg_inputs: Any = None) -> None:
            torch.export.save(torch.export.export(module, arg_inputs), file_path)

        super().__init__(
            __version__="2.14.0" if recent else "2.8.0",
            dynamo=SimpleNamespace(compile=compile_recent if recent else compile_jetson),
            save=save,
        )


@pytest.fixture
def fake_library(monkeypatch: pytest.MonkeyPatch) -> FakeLibrary:
    """torch_tensorrt on a processor: everything of the backend runs but TensorRT itself."""
    library = FakeLibrary()
    monkeypatch.setattr(tensorrt, "import_torch_tensorrt", lambda: library)
    monkeypatch.setattr(tensorrt, "_DEVICE", "cpu")
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    return library


@pytest.mark.parametrize(("precision", "half"), [("fp16", torch.float16), ("fp32", torch.float32)])
def test_an_engine_is_built_saved_and_loaded_with_float32_at_both_ends(
    fake_library: FakeLibrary, network: Any, tmp_path: Path, precision: str, half: torch.dtype
) -> None:
    lines: list[str] = []
    candidate = Candidate("tensorrt", precision)
    work = Work(network, GraphInput(56, 56, 3, 3), candidate, report=lines.append)
    backend = TensorrtBackend()
    backend.build(work, tmp_path)
    engine = backend.load(work, tmp_path)
    asked = fake_library.asked
    assert asked["kwargs"] == {}, "torch-tensorrt would swallow these"
    assert asked["attn_bias_is_causal"] is False
    assert [value.dtype for value in asked["arg_inputs"]] == [torch.float32]
    inside = {
        node.meta["val"].dtype
        for node in asked["program"].graph.nodes
        if "scaled_dot_product" in str(node.target)
    }
    assert inside == {half}
    pixels = np.random.default_rng(0).normal(size=(1, 3, 56, 56)).astype(np.float32)
    heat = engine.run(pixels, np.arange(3))
    assert heat.dtype == np.float32
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels), torch.arange(3)).numpy()
    assert np.abs(heat - expected).max() < 0.02
    assert any("takes minutes" in line for line in lines)


def test_a_build_that_fails_is_an_export_error(
    fake_library: FakeLibrary, network: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(module: Any, file_path: str, arg_inputs: Any = None) -> None:
        raise RuntimeError("[TensorRT] no implementation for node")

    monkeypatch.setattr(fake_library, "save", save)
    work = Work(network, GraphInput(56, 56, 3, 3), Candidate("tensorrt", "fp32"))
    with pytest.raises(ExportError, match=r"TensorRT cannot build the engine .*no implementation"):
        TensorrtBackend().build(work, tmp_path)


def test_the_ladder_goes_from_fast_to_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)
    monkeypatch.setattr(tensorrt, "import_torch_tensorrt", FakeLibrary)
    names = [candidate.name for candidate in TensorrtBackend().ladder("auto")]
    assert names == [
        "tensorrt-fp16",
        "tensorrt-fp16-decomposed",
        "tensorrt-bf16",
        "tensorrt-fp32",
    ]
    assert [one.name for one in TensorrtBackend().ladder("bf16")] == names[2:]
    monkeypatch.setattr(tensorrt, "import_torch_tensorrt", lambda: FakeLibrary(True))
    assert DECOMPOSED not in {one.variant for one in TensorrtBackend().ladder("auto")}
    with pytest.raises(RuntimeUnavailableError, match="has no precision 'int8'"):
        TensorrtBackend().ladder("int8")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_fix_is_named() -> None:
    with pytest.raises(RuntimeUnavailableError, match="needs an NVIDIA GPU"):
        make_ladder(RuntimeRequest("tensorrt"))


@pytest.mark.parametrize("failure", [ImportError("libnvinfer.so.11"), RuntimeError("no device")])
def test_every_failed_import_is_one_message(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(name: str) -> None:
        raise failure

    monkeypatch.setattr(tensorrt.importlib, "import_module", fail)
    with pytest.raises(RuntimeUnavailableError, match=r"does not work here .*pip install"):
        tensorrt.import_torch_tensorrt()


def test_the_library_is_imported_by_nobody_who_did_not_ask() -> None:
    make_ladder(RuntimeRequest("auto"))
    if not torch.cuda.is_available():
        assert "torch_tensorrt" not in sys.modules


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize(
    ("precision", "variant"), [("fp16", ""), ("fp16", DECOMPOSED), ("bf16", ""), ("fp32", "")]
)
def test_an_engine_on_the_gpu_passes_the_gate(
    make_grounder: Callable[[Any], Any],
    network: Any,
    tmp_path: Path,
    precision: str,
    variant: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("torch_tensorrt", exc_type=Exception)
    monkeypatch.setattr(tensorrt, "_RUNGS", ((precision, variant),))
    reference = make_grounder(network)
    grounder = make_grounder(network)
    wanted = RuntimeRequest("tensorrt", precision, store=tmp_path, fall_back=False)
    for _ in range(2):  # built; then loaded from the store
        grounder = make_grounder(network)
        grounder.use_runtime(lambda eager, into=grounder: choose_runtime(into, eager, wanted))
        grounder.warm_up(120, 160)
        report = grounder.runtime_report
        assert not report.degraded
        assert judge(report.gate, LIMITS[precision]) == []
        image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
        got, expected = (one.heatmaps(image, ["pour"]) for one in (grounder, reference))
        assert np.abs(got - expected).max() <= LIMITS[precision].max_abs


@pytest.mark.gpu
@needs_gpu
def test_the_gpu_chooses_tensorrt_where_it_is_installed() -> None:
    pytest.importorskip("torch_tensorrt", exc_type=Exception)
    assert make_ladder(RuntimeRequest("auto")).candidates[0].name == "tensorrt-fp16"


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_eager_halves_run_on_the_gpu(
    make_grounder: Callable[[Any], Any], network: Any, tmp_path: Path, precision: str
) -> None:
    grounder = make_grounder(network)
    wanted = RuntimeRequest("eager", precision, store=tmp_path, fall_back=False)
    grounder.use_runtime(lambda eager: choose_runtime(grounder, eager, wanted))
    grounder.warm_up(120, 160)
    assert grounder.runtime == f"eager-cuda-{precision}"
