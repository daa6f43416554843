"""Frozen DINOv2 patch features at any input size, on timm's vision transformer."""

from __future__ import annotations

from types import MappingProxyType

from affordance_grounding_core.backbones.table import architectures
from affordance_grounding_core.backbones.transformer_backbone import (
    TransformerBackbone,
    TransformerSizes,
)


class Dinov2(TransformerBackbone):
    """DINOv2 vision transformer that returns patch tokens of chosen blocks, or descriptors.

    Positions are interpolated bicubically without antialiasing, as the published code
    does (timm's own resampling antialiases, which changes the features at 224 px by far
    more than rounding).

    Args:
        name: a DINOv2 backbone of `table.BACKBONES`.
        sizes: build the architecture at other sizes, for tests.
    """

    architectures = architectures("dinov2")
    _timm_options = MappingProxyType({"img_size": 518})

    def __init__(
        self, name: str = "dinov2_vits14", *, sizes: TransformerSizes | None = None
    ) -> None:
        super().__init__(name, sizes=sizes)
