"""Frozen DINOv2 patch features at any input size, on timm's vision transformer."""

from __future__ import annotations

from types import MappingProxyType

from affordance_grounding_core.backbones.transformer_backbone import (
    TransformerBackbone,
    TransformerSizes,
)

ARCHITECTURES = MappingProxyType(
    {
        "dinov2_vits14": "vit_small_patch14_dinov2.lvd142m",
        "dinov2_vitb14": "vit_base_patch14_dinov2.lvd142m",
    }
)
"""Backbone names of this package to timm's."""


class Dinov2(TransformerBackbone):
    """DINOv2 vision transformer that returns patch tokens of chosen blocks, or descriptors.

    Positions are interpolated bicubically without antialiasing, as the published code
    does (timm's own resampling antialiases, which changes the features at 224 px by far
    more than rounding).

    Args:
        name: a key of `ARCHITECTURES`.
        sizes: build the architecture at other sizes, for tests.
    """

    architectures = ARCHITECTURES
    _timm_options = MappingProxyType({"img_size": 518})

    def __init__(
        self, name: str = "dinov2_vits14", *, sizes: TransformerSizes | None = None
    ) -> None:
        super().__init__(name, sizes=sizes)
