from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.errors import WeightsError


@pytest.fixture(scope="module")
def backbone() -> Dinov2:
    """The real architecture with random weights."""
    torch.manual_seed(0)
    return Dinov2()


@pytest.mark.parametrize(("height", "width"), [(224, 224), (448, 448), (14, 14), (140, 266)])
def test_any_multiple_of_the_patch_size(backbone: Dinov2, height: int, width: int) -> None:
    with torch.inference_mode():
        (tokens,) = backbone(torch.zeros(1, 3, height, width))
    assert tokens.shape == (1, 1 + height // 14 * (width // 14), 384)
    assert torch.isfinite(tokens).all()


@pytest.mark.parametrize(("height", "width"), [(225, 224), (224, 0), (10, 14)])
def test_other_sizes_are_refused(backbone: Dinov2, height: int, width: int) -> None:
    with pytest.raises(ValueError, match="multiples of 14"):
        backbone(torch.zeros(1, 3, height, width))


def test_at_the_trained_size_it_is_timms_own_forward(backbone: Dinov2) -> None:
    pixels = torch.randn(1, 3, 518, 518)
    with torch.inference_mode():
        expected = backbone.transformer.forward_features(pixels)
        (tokens,) = backbone(pixels)
    torch.testing.assert_close(tokens, expected, rtol=1e-4, atol=1e-4)


def test_blocks_are_taken_in_the_order_asked_for(backbone: Dinov2) -> None:
    pixels = torch.randn(1, 3, 28, 28)
    with torch.inference_mode():
        last, early = backbone(pixels, (-1, 3))
        (early_alone,) = backbone(pixels, (3,))
        (last_alone,) = backbone(pixels, (11,))
    torch.testing.assert_close(early, early_alone)
    torch.testing.assert_close(last, last_alone)


@pytest.mark.parametrize("blocks", [(), (12,), (-13,)])
def test_blocks_that_are_not_there_are_refused(backbone: Dinov2, blocks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="blocks must lie in"):
        backbone(torch.zeros(1, 3, 14, 14), blocks)


def test_weights_that_do_not_fit_are_named(backbone: Dinov2) -> None:
    tensors = dict(backbone.transformer.state_dict())
    tensors["norm.weight"] = torch.zeros(3)
    del tensors["cls_token"]
    tensors["head.weight"] = torch.zeros(1)
    with pytest.raises(WeightsError, match=r"cls_token.*head.weight.*norm.weight"):
        backbone.load_tensors(tensors)


def test_patch_tokens_equal_the_published_graph_in_onnx_runtime(
    pinned_wheel_onnx: Path, pinned_backbone: Dinov2
) -> None:
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    model = onnx.load(str(pinned_wheel_onnx))
    output = "/backbone/layernorm/Add_1_output_0"
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(output))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    pixels = np.random.default_rng(0).normal(size=(1, 3, 224, 224)).astype(np.float32)
    (expected,) = session.run([output], {"input_image": pixels})
    with torch.inference_mode():
        (tokens,) = pinned_backbone(torch.from_numpy(pixels))
    assert np.abs(tokens.numpy() - expected).max() < 1e-3
