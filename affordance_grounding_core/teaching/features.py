"""Patch features of taught actions: tokens of a frozen DINOv2."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.weights import tensor_fingerprint
from affordance_grounding_core.errors import TeachingError
from affordance_grounding_core.inference.preprocess import ImageGeometry, Preprocess
from affordance_grounding_core.teaching.collection import BackboneIdentity
from affordance_grounding_core.teaching.marks import patch_coverage

BLOCKS = (-3, -1)
"""Whose tokens are compared: the last says what a part is, an earlier one where its edges are."""


class PatchFeatures:
    """Computes unit features of the patches of a network input.

    Args:
        backbone: backbone with its weights, on its device.
        preprocess: preprocessing of the model, so that the model's inputs serve.
    """

    def __init__(self, backbone: Dinov2, preprocess: Preprocess) -> None:
        self.backbone = backbone
        self.preprocess = preprocess
        self.blocks = tuple(block % backbone.depth for block in BLOCKS)
        self.identity = BackboneIdentity(
            backbone.name, tensor_fingerprint(backbone.transformer.state_dict()), BLOCKS
        )

    def of_pixels(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute features with a pass of the backbone.

        Args:
            pixels: (3, h, w) float32, normalised.

        Returns:
            (rows, columns, C) float32, of length 1.
        """
        device = next(self.backbone.parameters()).device
        with torch.inference_mode():
            tokens = self.backbone(torch.from_numpy(pixels)[None].to(device), self.blocks)
        return self.of_tokens(tokens, *self.grid(pixels))

    def of_tokens(
        self, tokens: Sequence[torch.Tensor], rows: int, columns: int
    ) -> NDArray[np.float32]:
        """Make features of tokens that a pass of the backbone left.

        Args:
            tokens: (1, 1 + rows * columns, width) of each of `blocks`, the class token first.
            rows: number of rows of patches.
            columns: number of columns of patches.

        Returns:
            (rows, columns, C) float32, of length 1.
        """
        with torch.inference_mode():
            each = [nn.functional.normalize(one[0, 1:].float(), dim=-1) for one in tokens]
            # Blocks count alike; each has length 1, so their joint length is known.
            joined = torch.cat(each, dim=-1) / len(each) ** 0.5
        return np.asarray(joined.cpu().numpy(), np.float32).reshape(rows, columns, -1)

    def grid(self, pixels: NDArray[np.float32]) -> tuple[int, int]:
        """Rows and columns of patches of (3, h, w) pixels."""
        patch = self.backbone.patch_size
        return pixels.shape[1] // patch, pixels.shape[2] // patch

    def coverage(
        self, mask: NDArray[np.bool_], geometry: ImageGeometry
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Share of every patch that belongs to a part, and that belongs to the picture at all.

        Args:
            mask: (H, W) bool over the picture.
            geometry: geometry of the picture in the network input.

        Returns:
            Two of (rows, columns) float32 in [0, 1].
        """
        patch = self.backbone.patch_size
        rows, columns = geometry.input_height // patch, geometry.input_width // patch
        window = (geometry.top, geometry.left, geometry.height, geometry.width)
        everything = np.ones(mask.shape, np.bool_)
        return (
            patch_coverage(mask, window, rows, columns, patch),
            patch_coverage(everything, window, rows, columns, patch),
        )


def find_backbone(network: nn.Module, model: str) -> Dinov2:
    """Find the DINOv2 inside the network of a model.

    Args:
        network: network of the model.
        model: its name, for the message.

    Raises:
        TeachingError: the model looks through another backbone.
    """
    for module in network.modules():
        if isinstance(module, Dinov2):
            return module
    raise TeachingError(
        f"model {model!r} cannot be taught actions: they are told apart by the features of a "
        "DINOv2 backbone, and this model has none; use the model 'default'"
    )
