"""Sources of affinity: CLIP, as in the paper, or saliency, where CLIP is not to be had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import torch

from affordance_grounding_core.actions.prompts import action_prompt, exocentric_prompt
from affordance_grounding_core.backbones.clip import Clip
from affordance_grounding_core.methods.selective_cl.affinity import (
    exocentric_affinity,
    head_votes,
    local_mean,
    min_max,
    pixel_foreground,
    saliency_mask,
    text_similarity,
    unit,
)
from affordance_grounding_core.methods.selective_cl.config import SaliencySource
from affordance_grounding_core.methods.selective_cl.frozen_backbones import FrozenFeatures

_BORDER_MATCHES = 8
"""Border patches that a background patch is expected to resemble."""


def border_contrast(descriptors: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """How unlike the border of its image each patch is.

    A patch is compared with the 8 border patches that it resembles most, so that the border
    may show several things, a part of the object among them.

    Args:
        descriptors: (B, rows * columns, C) float.
        rows: number of rows of patches.
        columns: number of columns of patches.

    Returns:
        (B, rows, columns) in [0, 1], min-maxed.
    """
    # Indices, not a mask: an exported graph must know how many there are.
    border = [
        row * columns + column
        for row in range(rows)
        for column in range(columns)
        if row in (0, rows - 1) or column in (0, columns - 1)
    ]
    vectors = unit(descriptors)
    chosen = vectors.index_select(1, torch.tensor(border, device=descriptors.device))
    similarity = vectors @ chosen.transpose(1, 2)
    matches = similarity.topk(min(_BORDER_MATCHES, similarity.shape[2]), dim=2).values
    return min_max(-matches.mean(dim=2).reshape(-1, rows, columns))


def contact(
    egocentric: torch.Tensor,
    exocentric: torch.Tensor,
    object_mask: torch.Tensor,
    exocentric_saliency: torch.Tensor,
) -> torch.Tensor:
    """Where exocentric images show the object next to a person.

    Built like the affinity of the paper, with the egocentric image in the place of the text:
    the local mean of what stands out and is nowhere in the egocentric image (a hand, an arm),
    times the likeness to its object.

    Args:
        egocentric: (B, N, C) descriptors.
        exocentric: (B * E, N, C) descriptors, image b * E + e.
        object_mask: (B, N) bool, the egocentric object.
        exocentric_saliency: (B, E, h, w) in [0, 1].

    Returns:
        (B, E, h, w) in [0, 1].
    """
    shape = exocentric_saliency.shape
    by_image = exocentric.reshape(len(egocentric), -1, exocentric.shape[-1])
    likeness = unit(by_image) @ unit(egocentric).transpose(1, 2)
    anything = likeness.amax(dim=2).reshape(shape)
    # An image without an object resembles it nowhere more than elsewhere.
    of_object = likeness.masked_fill(~object_mask[:, None], -1.0).amax(dim=2).reshape(shape)
    person = exocentric_saliency * (1 - min_max(anything))
    return local_mean(person) * min_max(of_object)


PUBLISHED_HEADS = (0, 1, 3)
"""Heads of DINO ViT-S/16 whose class attention keeps to the object."""


@dataclass(frozen=True)
class Affinities:
    """What is known of a batch before anything is learnt.

    Attributes:
        egocentric: (B, h, w) float, where the object is; raw, larger is more likely.
        exocentric: (B, E, h, w) float, where the object is used; raw.
        pixel_foreground: (B, h * w) bool, egocentric patches that resemble the action's object
            more than exocentric images do; an image may have none.
        object_mask: (B, h * w) bool, the egocentric object that a part must lie in.
    """

    egocentric: torch.Tensor
    exocentric: torch.Tensor
    pixel_foreground: torch.Tensor
    object_mask: torch.Tensor


class AffinityProvider(Protocol):
    """Tells where the object of an action may be."""

    def affinities(
        self, egocentric: FrozenFeatures, exocentric: FrozenFeatures, labels: torch.Tensor
    ) -> Affinities:
        """Look at a training batch.

        Args:
            egocentric: features of B images.
            exocentric: features of B * E images, image b * E + e.
            labels: (B) int64 actions.
        """
        ...

    def affinity(self, features: FrozenFeatures, actions: torch.Tensor) -> torch.Tensor:
        """Look at one image for some actions.

        Args:
            features: features of one image.
            actions: (K) int64.

        Returns:
            (K, h, w) in [0, 1], each min-maxed.
        """
        ...


class ClipAffinity:
    """Affinity by CLIP, as published: patches compared with prompts of the action.

    Args:
        action_texts: (actions, D) vectors of the action prompts, of any norm.
        exocentric_texts: (actions, D) vectors of the exocentric prompts.
        saliency_heads: heads of the class attention that masks the egocentric object; None for all.
            The default is right for DINO ViT-S/16 only.
    """

    def __init__(
        self,
        action_texts: torch.Tensor,
        exocentric_texts: torch.Tensor,
        saliency_heads: Sequence[int] | None = PUBLISHED_HEADS,
    ) -> None:
        if action_texts.ndim != 2 or action_texts.shape != exocentric_texts.shape:
            raise ValueError(
                "action and exocentric texts must have one shape (actions, D), got "
                f"{tuple(action_texts.shape)} and {tuple(exocentric_texts.shape)}"
            )
        self.action_texts = action_texts
        self.exocentric_texts = exocentric_texts
        self.saliency_heads = saliency_heads

    def affinities(
        self, egocentric: FrozenFeatures, exocentric: FrozenFeatures, labels: torch.Tensor
    ) -> Affinities:
        """Compare patches with the prompts of their actions; see `AffinityProvider`."""
        texts = self.action_texts.to(labels.device)[labels]
        people = self.exocentric_texts.to(labels.device)[labels]
        return clip_affinities(egocentric, exocentric, texts, people, self.saliency_heads)

    def affinity(self, features: FrozenFeatures, actions: torch.Tensor) -> torch.Tensor:
        """Compare the patches of one image with prompts; see `AffinityProvider`."""
        texts = self.action_texts.to(actions.device)[actions]
        # One product for all actions: the tokens are neither repeated nor normed K times.
        maps = unit(texts) @ unit(_clip_tokens(features)[0]).T
        return min_max(maps.reshape(-1, features.rows, features.columns))


@torch.no_grad()
def clip_affinities(
    egocentric: FrozenFeatures,
    exocentric: FrozenFeatures,
    action_texts: torch.Tensor,
    exocentric_texts: torch.Tensor,
    saliency_heads: Sequence[int] | None = PUBLISHED_HEADS,
) -> Affinities:
    """Affinity of a batch to texts (section 3.2 of the paper).

    Args:
        egocentric: features of B images, with class attention.
        exocentric: features of B * E images, image b * E + e.
        action_texts: (B, D) vector of the action prompt of each sample, of any norm.
        exocentric_texts: (B, D) vector of the exocentric prompt of each sample.
        saliency_heads: heads of the class attention that masks the object; None for all.
    """
    tokens, exocentric_tokens = _clip_tokens(egocentric), _clip_tokens(exocentric)
    similarity = text_similarity(tokens, action_texts)
    return Affinities(
        similarity.reshape(-1, egocentric.rows, egocentric.columns),
        exocentric_affinity(exocentric_tokens, action_texts, exocentric_texts, exocentric.rows),
        pixel_foreground(tokens, exocentric_tokens, action_texts),
        saliency_mask(_class_attention(egocentric), saliency_heads),
    )


ExocentricSource = Literal["contact", "saliency"]


class SaliencyAffinity:
    """Affinity by what stands out, without CLIP and without text.

    It is the same for every action: what an action is about must be learnt from the labels.

    Args:
        source: source of the egocentric object. "contrast": patches unlike the border of the image.
            "attention": class attention, binarised head by head at its mean, as in LOCATE; right
            for DINO, poor for DINOv2.
        exocentric: "contact": the object next to what the egocentric image does not show, a
            person; "saliency": all that stands out, the person included.
        heads: heads of the class attention; None for all. `PUBLISHED_HEADS` for DINO
            ViT-S/16.
    """

    def __init__(
        self,
        source: SaliencySource = "contrast",
        exocentric: ExocentricSource = "contact",
        heads: Sequence[int] | None = None,
    ) -> None:
        for name, value, known in (
            ("source", source, get_args(SaliencySource)),
            ("exocentric", exocentric, get_args(ExocentricSource)),
        ):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
        self.source = source
        self.exocentric = exocentric
        self.heads = heads

    def settings(self) -> dict[str, Any]:
        """Return what counts as salient, as plain values for JSON."""
        return {
            "source": f"saliency by {self.source}",
            "exocentric": self.exocentric,
            "heads": None if self.heads is None else list(self.heads),
        }

    @torch.no_grad()
    def affinities(
        self, egocentric: FrozenFeatures, exocentric: FrozenFeatures, labels: torch.Tensor
    ) -> Affinities:
        """Look for what stands out; see `AffinityProvider`.

        The pixel foreground is the object mask: there is no text that could tell more.
        """
        saliency = self._saliency(egocentric)
        object_mask = saliency.flatten(1) > saliency.flatten(1).mean(dim=1, keepdim=True)
        batch, shape = egocentric.batch, (exocentric.rows, exocentric.columns)
        exocentric_map = self._saliency(exocentric).reshape(batch, -1, *shape)
        if self.exocentric == "contact":
            exocentric_map = contact(
                egocentric.descriptors, exocentric.descriptors, object_mask, exocentric_map
            )
        return Affinities(saliency, exocentric_map, object_mask, object_mask)

    @torch.no_grad()
    def affinity(self, features: FrozenFeatures, actions: torch.Tensor) -> torch.Tensor:
        """Look for what stands out, once for all actions; see `AffinityProvider`."""
        return self._saliency(features).expand(len(actions), -1, -1)

    def _saliency(self, features: FrozenFeatures) -> torch.Tensor:
        if self.source == "contrast":
            return border_contrast(features.descriptors, features.rows, features.columns)
        votes = head_votes(_class_attention(features), self.heads)
        return min_max(votes.reshape(-1, features.rows, features.columns))


def _clip_tokens(features: FrozenFeatures) -> torch.Tensor:
    if features.clip_tokens is None:
        raise ValueError(
            "affinity by CLIP needs clip_tokens, and these features hold none; encode the "
            "images with CLIP, or choose the saliency affinity"
        )
    return features.clip_tokens


def _class_attention(features: FrozenFeatures) -> torch.Tensor:
    if features.class_attention is None:
        raise ValueError(
            "saliency by attention needs class_attention, and these features hold none; describe "
            "the images with attention=True"
        )
    return features.class_attention


@dataclass(frozen=True)
class ActionTexts:
    """Vectors of the prompts of a vocabulary.

    Attributes:
        action: (actions, D) of "an item to {action} with".
        exocentric: (actions, D) of "a person {action} an item".
    """

    action: torch.Tensor
    exocentric: torch.Tensor


def encode_actions(clip: Clip, actions: Sequence[str]) -> ActionTexts:
    """Encode the prompts of a vocabulary, once.

    Args:
        clip: CLIP with its weights.
        actions: names.
    """
    return ActionTexts(
        clip.text.encode([action_prompt(action) for action in actions]).cpu(),
        clip.text.encode([exocentric_prompt(action) for action in actions]).cpu(),
    )
