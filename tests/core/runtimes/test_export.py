"""One static graph of a network: exact, without what depends on data."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.transformer_backbone import TransformerSizes
from affordance_grounding_core.errors import ExportError
from affordance_grounding_core.inference.network import KeepsFloatingPoint
from affordance_grounding_core.methods.action_head.config import ActionHeadConfig
from affordance_grounding_core.methods.action_head.network import ActionHead, ActionHeadNetwork
from affordance_grounding_core.runtimes.graph import (
    TOLERANCE,
    ExportedGraph,
    GraphInput,
    StaticNetwork,
    actions_per_run,
    export_network,
    nodes_within,
)

SHAPE = GraphInput(56, 70, 3, 3)


def action_head_network() -> nn.Module:
    torch.manual_seed(0)
    backbone = Dinov2(sizes=TransformerSizes(56, 14, width=24, depth=3, heads=2))
    config = ActionHeadConfig(actions=3, feature_width=24, blocks=(1, 2), width=16)
    return ActionHeadNetwork(backbone, ActionHead(config)).eval()


def test_the_default_network_is_exported_exactly() -> None:
    network = action_head_network()
    graph = export_network(network, SHAPE)
    pixels = torch.rand(1, 3, 56, 70)
    with torch.no_grad():
        expected = network(pixels, torch.arange(3))
        got = graph.program.module()(pixels)
    assert (got - expected).abs().max() <= TOLERANCE


def test_no_resampling_is_left_in_the_graph() -> None:
    graph = export_network(action_head_network(), SHAPE)
    assert not [name for name in graph.operators if "upsample" in name or "interpolate" in name]


def test_export_changes_nothing_in_the_network() -> None:
    network = action_head_network()
    head = network.get_parameter("head.action_embeddings.weight")
    before = head.clone()
    assert head.requires_grad
    export_network(network, SHAPE)
    assert head.requires_grad
    assert torch.equal(head, before)


def test_one_action_a_run_is_an_input_of_the_graph(network_of_single_actions: nn.Module) -> None:
    shape = GraphInput(56, 56, actions_per_run(network_of_single_actions, 3), 3)
    assert shape.actions == 1
    graph = export_network(network_of_single_actions, shape)
    pixels = torch.rand(1, 3, 56, 56)
    for action in range(3):
        index = torch.tensor([action])
        expected = network_of_single_actions(pixels, index)
        torch.testing.assert_close(graph.program.module()(pixels, index), expected)


def test_all_actions_at_once_need_no_input(network: nn.Module) -> None:
    assert actions_per_run(network, 3) == 3
    graph = export_network(network, GraphInput(56, 56, 3, 3))
    assert graph.program.module()(torch.rand(1, 3, 56, 56)).shape == (3, 4, 4)


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_lies_inside_with_float32_at_both_ends(
    network: nn.Module, precision: str
) -> None:
    static = StaticNetwork(network, GraphInput(56, 56, 3, 3), precision)
    half = torch.float16 if precision == "fp16" else torch.bfloat16
    assert {value.dtype for value in static.network.parameters()} == {half}
    assert {value.dtype for value in network.parameters()} == {torch.float32}
    graph = export_network(network, GraphInput(56, 56, 3, 3), precision)
    nodes = [node for node in graph.program.graph.nodes if "val" in node.meta]
    placeholders = [node for node in nodes if node.op == "placeholder"]
    assert placeholders[-1].meta["val"].dtype == torch.float32, "pixels come as float32"
    products = [
        node.meta["val"].dtype
        for node in nodes
        if node.op == "call_function" and "linear" in str(node.target)
    ]
    assert set(products) == {half}
    (output,) = graph.program.module()(torch.rand(1, 3, 56, 56))[:1]
    assert output.dtype == torch.float32


def test_the_graph_is_named_by_content(network: nn.Module) -> None:
    def fingerprint(height: int) -> str:
        graph: ExportedGraph = export_network(network, GraphInput(height, 56, 3, 3))
        return graph.fingerprint

    assert fingerprint(56) == fingerprint(56)
    assert fingerprint(56) != fingerprint(70)


class DependsOnData(nn.Module):
    def forward(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        if pixels.sum() > 0:
            return pixels[0, :1]
        return -pixels[0, :1]


def test_a_network_that_depends_on_its_data_is_refused() -> None:
    with pytest.raises(ExportError, match="DependsOnData cannot be exported"):
        export_network(DependsOnData(), GraphInput(8, 8, 1, 1))


class CountsCalls(nn.Module):
    calls = 0

    def forward(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return pixels[0, :1] + float(self.calls)


def test_a_graph_that_answers_differently_is_refused() -> None:
    with pytest.raises(ExportError, match="differs from the network by 1"):
        export_network(CountsCalls(), GraphInput(8, 8, 1, 1))


def test_an_unknown_precision_is_refused(network: nn.Module) -> None:
    with pytest.raises(ExportError, match="got precision 'int8'"):
        export_network(network, SHAPE, "int8")


@pytest.mark.parametrize("sizes", [(0, 56, 1, 3), (56, 56, 0, 3), (56, 56, 4, 3)])
def test_impossible_shapes_are_refused(sizes: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="1 <= actions <= vocabulary"):
        GraphInput(*sizes)


class Decoder(KeepsFloatingPoint):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.layer(values))


class EncoderAndDecoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(8, 8)
        self.decoder = Decoder()

    def forward(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.encoder(pixels[0, :1]))


def test_what_int8_leaves_in_floating_point_is_named() -> None:
    graph = export_network(EncoderAndDecoder(), GraphInput(8, 8, 1, 1))
    calls = {
        node.name: str(node.target)
        for node in graph.program.graph.nodes
        if node.op == "call_function"
    }
    assert graph.floating == ("network.decoder",)
    kept = [calls[name] for name in nodes_within(graph.program, graph.floating)]
    assert kept == ["aten.linear.default", "aten.relu.default"]
    assert list(calls.values()).count("aten.linear.default") == 2
