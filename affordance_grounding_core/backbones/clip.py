"""CLIP as a dense image encoder and a text encoder, on open_clip's model.

Dense features follow ClearCLIP: the last block answers with its attention alone, no residual
and no MLP, and attends by query-query similarity, so that a patch token keeps to what is
there. Nothing of that block is computed that the mode does not need.

Source: "ClearCLIP: Decomposing CLIP Representations for Dense Vision-Language Inference", Lan
et al., ECCV 2024; SelectiveCL, section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import open_clip
import torch
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transformer import QuickGELU
from torch import nn

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_core.backbones.clip_weights import load_clip_tensors
from affordance_grounding_core.backbones.dense_attention import DenseMode, attend
from affordance_grounding_core.backbones.positions import ResizedPositions, patch_grid
from affordance_grounding_core.backbones.state_dict_check import require_fit
from affordance_grounding_core.backbones.table import BACKBONES
from affordance_grounding_core.errors import WeightsError

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
"""Mean and spread of the pixels CLIP was trained on, RGB in [0, 1]."""

ARCHITECTURE = BACKBONES["clip_vitb16"].architecture

_POSITION_OFFSET = 0.1  # see resize_positions; the published dense CLIP takes over DINO's rule


class ClipImageEncoder(nn.Module):
    """Patch and class tokens of CLIP's vision transformer, for input of any size.

    Positions are interpolated bicubically where the grid of patches is not the trained one.

    Args:
        visual: vision transformer of an open_clip model, kept as it is.
    """

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual: Any = visual
        self._positions = ResizedPositions(self, _POSITION_OFFSET)

    @property
    def patch_size(self) -> int:
        """Side of a patch in px; input sides are multiples of it."""
        return int(self.visual.conv1.kernel_size[0])

    @property
    def embedding_width(self) -> int:
        """Channels of the space that images and texts share."""
        return int(self.visual.proj.shape[1])

    def dense(
        self,
        pixels: torch.Tensor,
        mode: DenseMode = DenseMode.clearclip,
        *,
        keep_residual: bool = False,
    ) -> torch.Tensor:
        """Compute patch features in the space of the texts.

        Args:
            pixels: (B, 3, h, w), normalised RGB, h and w multiples of `patch_size`.
            mode: how patches attend to each other in the last block.
            keep_residual: whether the last block adds its input and runs its MLP, as CLIP
                does; ClearCLIP leaves both out.

        Returns:
            (B, N, D), patches row by row without the class token, not normalised.

        Raises:
            ValueError: a side that is no multiple of the patch size.
        """
        return self.dense_tokens(pixels, mode, keep_residual=keep_residual)[:, 1:]

    def dense_tokens(
        self,
        pixels: torch.Tensor,
        mode: DenseMode = DenseMode.clearclip,
        *,
        keep_residual: bool = False,
    ) -> torch.Tensor:
        """Compute what `dense` does, with the class token first: (B, 1 + N, D)."""
        tokens = self.last_block_input(pixels)
        block = self.visual.transformer.resblocks[-1]
        attended = attend(block.attn, block.ln_1(tokens), mode)
        if keep_residual:
            attended = tokens + attended
            attended = attended + block.mlp(block.ln_2(attended))
        return self._project(attended)

    def tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        """Compute all tokens as CLIP was trained, projected into the space of the texts.

        Args:
            pixels: (B, 3, h, w), normalised RGB, h and w multiples of `patch_size`.

        Returns:
            (B, 1 + N, D), the class token first, not normalised.

        Raises:
            ValueError: a side that is no multiple of the patch size.
        """
        return self._project(self.visual.transformer.resblocks[-1](self.last_block_input(pixels)))

    def last_block_input(self, pixels: torch.Tensor) -> torch.Tensor:
        """Compute the tokens that enter the last block, (B, 1 + N, width)."""
        tokens = self.first_block_input(pixels)
        for block in self.visual.transformer.resblocks[:-1]:
            # Attention by `attend`: PyTorch's layer swaps images and tokens first, and products
            # of such a view are many times slower in bfloat16.
            attended = attend(block.attn, block.ln_1(tokens), DenseMode.vanilla)
            tokens = tokens + block.ls_1(attended)
            tokens = tokens + block.ls_2(block.mlp(block.ln_2(tokens)))
        return tokens

    def first_block_input(self, pixels: torch.Tensor) -> torch.Tensor:
        """Compute the tokens that enter the first block, (B, 1 + N, width)."""
        visual = self.visual
        rows, columns = patch_grid(pixels.shape[-2], pixels.shape[-1], self.patch_size)
        patches = visual.conv1(pixels).flatten(2).transpose(1, 2)
        class_token = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        positions = self._positions(visual.positional_embedding, rows, columns)
        tokens = torch.cat([class_token, patches], dim=1) + positions.to(patches.dtype)
        return cast(torch.Tensor, visual.ln_pre(visual.patch_dropout(tokens)))

    def _project(self, tokens: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.visual.ln_post(tokens) @ self.visual.proj)


class ClipTextEncoder(nn.Module):
    """Text vectors of CLIP.

    Args:
        model: an open_clip model; its vision transformer is not used and may be missing.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model: Any = model

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        """Compute the vectors of some texts.

        Args:
            texts: K sentences.

        Returns:
            (K, D), not normalised.

        Raises:
            ValueError: no text, or one that is too long for the encoder.
        """
        model = self.model
        tokens = tokenize(texts, int(model.context_length)).to(model.token_embedding.weight.device)
        ends = tokens.argmax(dim=1)  # the end mark is the largest token
        # Attention is causal: what follows the end mark is never looked at, so it is cut off.
        length = int(ends.max()) + 1
        embedded = model.token_embedding(tokens[:, :length]) + model.positional_embedding[:length]
        causal = torch.full((length, length), -torch.inf, device=embedded.device).triu(1)
        mixed = model.transformer(embedded, attn_mask=causal)
        vectors = model.ln_final(mixed)[torch.arange(len(tokens), device=ends.device), ends]
        return cast(torch.Tensor, vectors @ model.text_projection)


@dataclass(frozen=True)
class Clip:
    """Both encoders of one CLIP model.

    Attributes:
        image: into the shared space.
        text: into the shared space.
    """

    image: ClipImageEncoder
    text: ClipTextEncoder

    def tensors(self) -> dict[str, torch.Tensor]:
        """All weights by open_clip's names."""
        return {**self.image.state_dict(), **self.text.model.state_dict()}

    def load_tensors(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Set all weights.

        Args:
            tensors: weights by open_clip's names.

        Raises:
            WeightsError: a tensor is missing, unknown or of another shape.
        """
        require_fit(self.tensors(), tensors, "CLIP", f"both encoders of open_clip's {ARCHITECTURE}")
        image = {name: value for name, value in tensors.items() if name.startswith("visual.")}
        text = {name: value for name, value in tensors.items() if name not in image}
        self.image.load_state_dict(image)
        self.text.model.load_state_dict(text)


def tokenize(texts: Sequence[str], context_length: int = 77) -> torch.Tensor:
    """Turn texts into CLIP's tokens.

    Args:
        texts: K sentences.
        context_length: tokens of the encoder's input.

    Returns:
        (K, context_length) int64, padded with 0.

    Raises:
        ValueError: no text, one without words, or one that is too long.
    """
    tokenizer = _tokenizer()
    if isinstance(texts, str) or not len(texts):
        raise ValueError(f"texts must be a list of at least one sentence, got {texts!r}")
    special = set(tokenizer.all_special_ids)
    for text in texts:
        tokens = tokenizer.encode(text)
        if not tokens or special.intersection(tokens):
            raise ValueError(
                f"text {abbreviate(text)} has no words or holds the encoder's own marks "
                "(<start_of_text>); expected a short sentence"
            )
        if len(tokens) + 2 > context_length:
            raise ValueError(
                f"text {abbreviate(text)} has {len(tokens)} tokens; the encoder takes at most "
                f"{context_length - 2}: use a shorter sentence"
            )
    return cast(torch.Tensor, tokenizer(list(texts), context_length=context_length))


@lru_cache(maxsize=1)
def _tokenizer() -> Any:
    return SimpleTokenizer()


def build_clip(*, embedding_width: int, vision: Mapping[str, Any], text: Mapping[str, Any]) -> Clip:
    """Build a CLIP with QuickGELU and random weights, frozen.

    Args:
        embedding_width: channels of the space that images and texts share.
        vision: sizes by open_clip's names: image_size, patch_size, width, layers, head_width.
        text: likewise: context_length, vocab_size, width, heads, layers.
    """
    model: Any = open_clip.CLIP(
        embedding_width,
        vision_cfg=open_clip.CLIPVisionCfg(**vision),
        text_cfg=open_clip.CLIPTextCfg(**text),
        quick_gelu=True,
    )
    image = ClipImageEncoder(model.visual)
    del model.visual
    clip = Clip(image, ClipTextEncoder(model))
    _require_quick_gelu(clip)
    for encoder in (clip.image, clip.text):
        encoder.requires_grad_(False).eval()
    return clip


def empty_clip() -> Clip:
    """Build OpenAI's CLIP ViT-B/16 with random weights, to be loaded with others."""
    config = open_clip.get_model_config(ARCHITECTURE)
    if config is None:
        raise WeightsError(
            f"this version of open_clip does not know {ARCHITECTURE}; install open-clip-torch 2.30 "
            "or newer"
        )
    return build_clip(
        embedding_width=config["embed_dim"], vision=config["vision_cfg"], text=config["text_cfg"]
    )


def clip_image_encoder(tensors: Mapping[str, torch.Tensor]) -> ClipImageEncoder:
    """Build the image encoder of OpenAI's CLIP ViT-B/16 around its weights, frozen.

    Quicker than `empty_clip`: nothing is drawn at random and no text encoder is built.

    Args:
        tensors: float32, by open_clip's names; those of the text encoder are not looked at.

    Raises:
        WeightsError: a tensor is missing, unknown or of another shape.
    """
    with torch.device("meta"):
        encoder = empty_clip().image
    image = {name: value for name, value in tensors.items() if name.startswith("visual.")}
    wanted = f"the image encoder of open_clip's {ARCHITECTURE}"
    require_fit(encoder.state_dict(), image, "CLIP's image encoder", wanted)
    encoder.load_state_dict(image, assign=True)
    return encoder.requires_grad_(False).eval()


def clip_text_encoder(tensors: Mapping[str, torch.Tensor]) -> ClipTextEncoder:
    """Build the text encoder of OpenAI's CLIP ViT-B/16 around its weights, frozen.

    Args:
        tensors: float32, by open_clip's names; those of the image encoder are not looked at.

    Raises:
        WeightsError: a tensor is missing, unknown or of another shape.
    """
    with torch.device("meta"):
        encoder = empty_clip().text
    text = {name: value for name, value in tensors.items() if not name.startswith("visual.")}
    wanted = f"the text encoder of open_clip's {ARCHITECTURE}"
    require_fit(encoder.model.state_dict(), text, "CLIP's text encoder", wanted)
    encoder.model.load_state_dict(text, assign=True)
    return encoder.requires_grad_(False).eval()


def clip_from_tensors(tensors: Mapping[str, torch.Tensor]) -> Clip:
    """Build OpenAI's CLIP ViT-B/16 around its weights; see the two functions above."""
    return Clip(clip_image_encoder(tensors), clip_text_encoder(tensors))


def load_clip(weights: Path | None = None) -> Clip:
    """Load OpenAI's CLIP ViT-B/16, frozen.

    Args:
        weights: local file: a state dict in open_clip's names or the published ViT-B-16.pt;
            the cached or published file where None.

    Raises:
        WeightsError: the weights cannot be fetched, verified or read, or do not fit.
    """
    return clip_from_tensors(load_clip_tensors(weights))


def random_clip(
    seed: int = 0,
    *,
    image_size: int = 32,
    patch_size: int = 8,
    width: int = 32,
    layers: int = 2,
    heads: int = 2,
    embedding_width: int = 16,
    context_length: int = 77,
) -> Clip:
    """Build a small CLIP with random weights, for tests and trial runs.

    Args:
        seed: seed of the weights; the state of PyTorch's generator is left as it was.
        image_size: side of the images its positions are made for, in px.
        patch_size: side of a patch in px.
        width: channels of a token, image and text.
        layers: blocks of either encoder.
        heads: attention heads of a block.
        embedding_width: channels of the space that images and texts share.
        context_length: tokens of the text encoder's input.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_clip(
            embedding_width=embedding_width,
            vision={
                "image_size": image_size,
                "patch_size": patch_size,
                "width": width,
                "layers": layers,
                "head_width": width // heads,
            },
            text={
                "context_length": context_length,
                "vocab_size": _tokenizer().vocab_size,
                "width": width,
                "heads": heads,
                "layers": layers,
            },
        )


def _require_quick_gelu(clip: Clip) -> None:
    """With another activation the features are wrong without any error; so check."""
    for blocks in (
        clip.image.visual.transformer.resblocks,
        clip.text.model.transformer.resblocks,
    ):
        for block in blocks:
            if not isinstance(block.mlp.gelu, QuickGELU):
                raise WeightsError(
                    "CLIP was built without QuickGELU, which OpenAI's weights were trained with; "
                    f"got {type(block.mlp.gelu).__name__}: install open-clip-torch 2.30 or newer"
                )
