"""Plain SelectiveCL, as its released code runs: the path that figures are compared with.

The same networks as ours, run as plainly as they were published: nothing is kept from call to
call, and nothing is left out. The text is encoded for every image, one prompt at a time; CLIP's
last block is run a second time as it was trained, with residual and MLP, and thrown away; so is
what DINO's last block does beside its keys. Read from the released code (commit 5422ed5).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch.nn import functional

from affordance_grounding_core.actions.prompts import action_prompt, exocentric_prompt
from affordance_grounding_core.backbones.clip import Clip, tokenize
from affordance_grounding_core.backbones.descriptors import Descriptors
from affordance_grounding_core.backbones.dino import Dino
from affordance_grounding_core.methods.selective_cl.affinity import min_max, text_similarity
from affordance_grounding_core.methods.selective_cl.affinity_sources import (
    Affinities,
    ClipAffinity,
    clip_affinities,
)
from affordance_grounding_core.methods.selective_cl.config import DiscoveryConfig, ObjectiveConfig
from affordance_grounding_core.methods.selective_cl.frozen_backbones import FrozenFeatures
from affordance_grounding_core.methods.selective_cl.network import SelectiveHead
from affordance_grounding_core.methods.selective_cl.objective import selective_objective


class PublishedBackbones:
    """CLIP and DINO in full, float32.

    Args:
        clip: both encoders.
        dino: DINO, which makes the descriptors.
    """

    def __init__(self, clip: Clip, dino: Dino) -> None:
        self.clip = clip
        self.dino = dino

    @torch.no_grad()
    def texts(self, prompts: Sequence[str]) -> torch.Tensor:
        """Encode one prompt an image, (B, D), padded to all 77 tokens, every time anew."""
        return cast(torch.Tensor, self.clip.text.model.encode_text(tokenize(prompts)))

    @torch.no_grad()
    def clip_tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        """Compute ClearCLIP's patches, and the last block as it was trained, for nothing.

        Args:
            pixels: (B, 3, h, w) float32.

        Returns:
            (B, N, D).
        """
        visual = self.clip.image.visual
        tokens = self.clip.image.first_block_input(pixels)
        for block in visual.transformer.resblocks[:-1]:
            tokens = block(tokens)
        block = visual.transformer.resblocks[-1]
        attended = _query_attention(block.attn, block.ln_1(tokens))
        block(tokens)
        projected = visual.ln_post(attended) @ visual.proj
        return cast(torch.Tensor, projected[:, 1:])

    @torch.no_grad()
    def descriptors(self, pixels: torch.Tensor) -> Descriptors:
        """Compute DINO's last-block keys and class attention, and all else of that block.

        Args:
            pixels: (B, 3, h, w) float32.
        """
        tokens = self.dino.last_block_input(pixels)
        block = cast(Any, self.dino.transformer.blocks[-1])
        layer = block.attn
        projected = layer.qkv(block.norm1(tokens))
        batch, count, _ = projected.shape
        query, key, value = projected.reshape(batch, count, 3, layer.num_heads, -1).permute(
            2, 0, 3, 1, 4
        )
        attention = (query @ key.transpose(-2, -1) * layer.scale).softmax(dim=-1)
        mixed = (attention @ value).transpose(1, 2).reshape(batch, count, -1)
        tokens = tokens + layer.proj(mixed)
        tokens = tokens + block.mlp(block.norm2(tokens))
        interleaved = key.permute(0, 2, 3, 1).flatten(-2)
        return Descriptors(interleaved[:, 1:], attention[:, :, 0, 1:])


class PublishedInference:
    """One image and one action to the calibrated class map, as released.

    Args:
        backbones: all backbones.
        head: trained layers.
    """

    def __init__(self, backbones: PublishedBackbones, head: SelectiveHead) -> None:
        self.backbones = backbones
        self.head = head.eval()

    @torch.no_grad()
    def __call__(self, pixels: torch.Tensor, action: str, index: int) -> torch.Tensor:
        """Compute the map.

        Args:
            pixels: (1, 3, h, w) float32, ImageNet-normalised; sides multiples of the patch.
            action: name of the action, for its prompt.
            index: its channel of the classifier.

        Returns:
            (rows, columns), min-maxed affinity times class map.
        """
        rows = pixels.shape[-2] // self.backbones.dino.patch_size
        columns = pixels.shape[-1] // self.backbones.dino.patch_size
        text = self.backbones.texts([action_prompt(action)])
        affinity = text_similarity(self.backbones.clip_tokens(pixels), text)
        described = self.backbones.descriptors(pixels).patches
        class_map = self.head(described, rows, columns)[0, index]
        calibrated: torch.Tensor = min_max(affinity.reshape(1, rows, columns))[0] * class_map
        return calibrated


def _query_attention(layer: Any, normed: torch.Tensor) -> torch.Tensor:
    """ClearCLIP's attention with all three projections and the weights written out."""
    batch, count, width = normed.shape
    projected = functional.linear(normed, layer.in_proj_weight, layer.in_proj_bias)
    query, _, value = projected.reshape(batch, count, 3, layer.num_heads, -1).permute(2, 0, 3, 1, 4)
    scale = float((width // layer.num_heads) ** -0.5)
    weights = (query @ query.transpose(-2, -1) * scale).softmax(dim=-1)
    mixed = (weights @ value).transpose(1, 2).reshape(batch, count, width)
    return cast(torch.Tensor, layer.out_proj(mixed))


class PublishedTrainingStep:
    """One step of training as released: both backbones in full, texts encoded, heads run twice.

    The part discovery of the released code walks through the batch image by image; here it is
    our batched one with the same results, so this stand-in is the quicker of the two.

    Args:
        backbones: all backbones.
        head: trained layers.
        actions: vocabulary, in the order of the classifier's channels.
        optimiser: optimiser of the head's parameters.
    """

    def __init__(
        self,
        backbones: PublishedBackbones,
        head: SelectiveHead,
        actions: Sequence[str],
        optimiser: torch.optim.Optimizer,
    ) -> None:
        self.backbones = backbones
        self.head = head.train()
        self.actions = list(actions)
        self.optimiser = optimiser
        self.config = ObjectiveConfig(discovery=DiscoveryConfig(published_quirks=True))

    def __call__(
        self, egocentric: torch.Tensor, exocentric: torch.Tensor, labels: torch.Tensor
    ) -> float:
        """Take one step.

        Args:
            egocentric: (B, 3, h, w) float32 pixels.
            exocentric: (B * E, 3, h, w) float32 pixels, image b * E + e.
            labels: (B) int64 actions.

        Returns:
            The loss before the step.
        """
        names = [self.actions[label] for label in labels.tolist()]
        texts = self.backbones.texts([action_prompt(name) for name in names])
        people = self.backbones.texts([exocentric_prompt(name) for name in names])
        output = selective_objective(
            self.head,
            self._features(egocentric),
            self._features(exocentric),
            labels,
            1,
            _SampleTexts(texts, people),
            self.config,
            torch.Generator().manual_seed(0),
        )
        self.optimiser.zero_grad()
        output.total.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return float(output.total.detach())

    def _features(self, pixels: torch.Tensor) -> FrozenFeatures:
        size = self.backbones.dino.patch_size
        described = self.backbones.descriptors(pixels)
        return FrozenFeatures(
            described.patches,
            described.class_attention,
            self.backbones.clip_tokens(pixels),
            pixels.shape[-2] // size,
            pixels.shape[-1] // size,
        )


class _SampleTexts:
    """Affinity to texts that were encoded for the samples of one batch.

    Args:
        texts: (B, D) action prompts.
        people: (B, D) exocentric prompts.
    """

    def __init__(self, texts: torch.Tensor, people: torch.Tensor) -> None:
        self._texts = texts
        self._people = people

    def affinities(
        self, egocentric: FrozenFeatures, exocentric: FrozenFeatures, labels: torch.Tensor
    ) -> Affinities:
        """See `AffinityProvider`."""
        return clip_affinities(egocentric, exocentric, self._texts, self._people)

    def affinity(self, features: FrozenFeatures, actions: torch.Tensor) -> torch.Tensor:
        """See `AffinityProvider`."""
        return ClipAffinity(self._texts, self._people).affinity(features, actions)
