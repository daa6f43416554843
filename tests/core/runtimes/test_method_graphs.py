"""Every method's network as one graph: exact, and the same in every runtime."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from affordance_grounding_core.runtimes.base import Backend, Candidate, Work
from affordance_grounding_core.runtimes.graph import TOLERANCE
from affordance_grounding_core.runtimes.onnx import OnnxBackend
from affordance_grounding_core.runtimes.openvino import OpenvinoBackend
from tests.core.runtimes.small_networks import BUILDERS, shape_of, small_graph, small_network
from tests.core.runtimes.torch_tensorrt_sources import (
    FOLDER_VARIABLE,
    Sources,
    installed_folder,
)


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_the_graph_is_the_network(name: str) -> None:
    network, shape, graph = small_network(name), shape_of(name), small_graph(name)
    pixels = torch.randn(1, 3, shape.height, shape.width)
    for action in range(shape.vocabulary):
        index = torch.tensor([action])
        with torch.no_grad():
            expected = network(pixels, index)
            got = graph.program.module()(*((pixels,) if shape.answers_all else (pixels, index)))
        got = got[action :: shape.vocabulary] if shape.answers_all else got
        assert (got - expected).abs().max() <= TOLERANCE
    assert not [name for name in graph.operators if "upsample" in name or "_assert_async" in name]


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_sixteen_bits_answer_nearly_the_same(name: str) -> None:
    network, shape, graph = small_network(name), shape_of(name), small_graph(name, "bf16")
    inputs = shape.example()
    with torch.no_grad():
        expected = network(inputs[0], torch.arange(shape.actions))
        got = graph.program.module()(*inputs)
    assert got.dtype == torch.float32
    assert (got - expected).abs().max() <= 0.02


@pytest.mark.parametrize("name", sorted(BUILDERS))
@pytest.mark.parametrize(
    ("backend", "module"), [(OnnxBackend(), "onnxruntime"), (OpenvinoBackend(), "openvino")]
)
def test_every_runtime_computes_the_network(
    name: str, backend: Backend, module: str, tmp_path: Path
) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    network, shape = small_network(name), shape_of(name)
    work = Work(network, shape, Candidate(backend.name, "fp32"))
    backend.build(work, tmp_path)
    engine = backend.load(work, tmp_path)
    generator = np.random.default_rng(0)
    actions = np.arange(shape.actions)
    for _ in range(2):
        pixels = generator.normal(size=(1, 3, shape.height, shape.width)).astype(np.float32)
        got = engine.run(pixels, actions)
        with torch.no_grad():
            expected = network(torch.from_numpy(pixels), torch.from_numpy(actions)).numpy()
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, atol=1e-4)
    engine.close()


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_tensorrt_has_a_converter_for_every_operator(name: str) -> None:
    folder = installed_folder()
    if folder is None:
        pytest.skip(
            "torch-tensorrt is not installed; its wheel can also be unpacked and named by "
            f"{FOLDER_VARIABLE}"
        )
    sources = Sources(folder)
    assert sources.uncovered(sources.lowered(small_graph(name).program)) == set()
