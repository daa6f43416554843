"""Frozen DINO descriptors at any input size, on timm's vision transformer.

Source: "Emerging Properties in Self-Supervised Vision Transformers", Caron et al., ICCV 2021;
last-block keys as part descriptors: "Deep ViT Features as Dense Visual Descriptors", Amir et
al., 2021, and LOCATE, Li et al., CVPR 2023.
"""

from __future__ import annotations

from types import MappingProxyType

from affordance_grounding_core.backbones.transformer_backbone import (
    TransformerBackbone,
    TransformerSizes,
)

ARCHITECTURES = MappingProxyType({"dino_vits16": "vit_small_patch16_224.dino"})
"""Backbone names of this package to timm's."""


class Dino(TransformerBackbone):
    """DINO vision transformer; positions are interpolated as DINO's own code does.

    Args:
        name: a key of `ARCHITECTURES`.
        sizes: build the architecture at other sizes, for tests.
    """

    architectures = ARCHITECTURES
    position_offset = 0.1

    def __init__(self, name: str = "dino_vits16", *, sizes: TransformerSizes | None = None) -> None:
        super().__init__(name, sizes=sizes)
