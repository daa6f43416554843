"""Frozen DINO descriptors at any input size, on timm's vision transformer.

Source: "Emerging Properties in Self-Supervised Vision Transformers", Caron et al., ICCV 2021;
last-block keys as part descriptors: "Deep ViT Features as Dense Visual Descriptors", Amir et
al., 2021, and LOCATE, Li et al., CVPR 2023.
"""

from __future__ import annotations

from affordance_grounding_core.backbones.table import architectures
from affordance_grounding_core.backbones.transformer_backbone import (
    TransformerBackbone,
    TransformerSizes,
)


class Dino(TransformerBackbone):
    """DINO vision transformer; positions are interpolated as DINO's own code does.

    Args:
        name: a DINO backbone of `table.BACKBONES`.
        sizes: build the architecture at other sizes, for tests.
    """

    architectures = architectures("dino")
    position_offset = 0.1

    def __init__(self, name: str = "dino_vits16", *, sizes: TransformerSizes | None = None) -> None:
        super().__init__(name, sizes=sizes)
