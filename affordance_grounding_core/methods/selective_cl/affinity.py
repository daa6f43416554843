"""Affinity maps and object masks from frozen features: where an action's object may be.

All functions are batched and keep their input's device and type. Maps without contrast, by
which the published code divides and answers NaN, give zeros here: they prefer no place.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional


def min_max(maps: torch.Tensor, dims: int = 2, epsilon: float = 0.0) -> torch.Tensor:
    """Scale each map to [0, 1].

    Args:
        maps: (..., any shape of `dims` dimensions).
        dims: number of the last dimensions that make a map.
        epsilon: added to the range that divides.

    Returns:
        As `maps`. A constant map becomes zero.
    """
    last = tuple(range(-dims, 0))
    low = maps.amin(dim=last, keepdim=True)
    spread = maps.amax(dim=last, keepdim=True) - low
    return (maps - low) / torch.where(spread > 0, spread + epsilon, torch.ones_like(spread))


def unit(vectors: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """Scale vectors to length 1; a vector of no length stays zero and has no gradient."""
    norms = torch.linalg.vector_norm(vectors, dim=dim, keepdim=True)
    some = norms > 1e-12
    return torch.where(some, vectors / torch.where(some, norms, torch.ones_like(norms)), 0.0)


def local_mean(maps: torch.Tensor) -> torch.Tensor:
    """Mean over each cell and its neighbours inside the map.

    Args:
        maps: (..., h, w) float.

    Returns:
        As `maps`. Cells at the border average 6 cells, in the corners 4, not 9.
    """
    flat = maps.reshape(-1, 1, *maps.shape[-2:])
    means = functional.avg_pool2d(flat, 3, stride=1, padding=1, count_include_pad=False)
    return means.reshape(maps.shape)


def text_similarity(tokens: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
    """Cosine of every patch to the text of its image.

    Args:
        tokens: (B, N, D) patches in CLIP's space, of any norm.
        texts: (B, D) text vectors, of any norm.

    Returns:
        (B, N) in [-1, 1].
    """
    return torch.einsum("bnd,bd->bn", unit(tokens), unit(texts))


def exocentric_affinity(
    tokens: torch.Tensor, action_texts: torch.Tensor, exocentric_texts: torch.Tensor, rows: int
) -> torch.Tensor:
    """Where exocentric images show the object in use (section 3.2).

    The place must resemble the action's object and lie near what resembles a person at it.

    Args:
        tokens: (B * E, N, D) patches in CLIP's space, image b * E + e.
        action_texts: (B, D) vectors of "an item to {action} with".
        exocentric_texts: (B, D) vectors of "a person {action} an item".
        rows: number of rows of patches.

    Returns:
        (B, E, rows, N / rows): local mean of the cosine to the exocentric text, times the
        cosine to the action's text.
    """
    batch = len(action_texts)
    by_image = tokens.reshape(batch, -1, tokens.shape[-1])
    shape = (batch, len(tokens) // batch, rows, tokens.shape[1] // rows)
    person = text_similarity(by_image, exocentric_texts).reshape(shape)
    item = text_similarity(by_image, action_texts).reshape(shape)
    return local_mean(person) * item


def pixel_foreground(
    egocentric_tokens: torch.Tensor, exocentric_tokens: torch.Tensor, action_texts: torch.Tensor
) -> torch.Tensor:
    """Patches that resemble the action's object more than its exocentric images do.

    The threshold of an image is the least, over its exocentric images, of the best cosine to
    the action's text in one of them (section 3.4).

    Args:
        egocentric_tokens: (B, N, D) patches in CLIP's space.
        exocentric_tokens: (B * E, N', D) patches in CLIP's space, image b * E + e.
        action_texts: (B, D) vectors of "an item to {action} with".

    Returns:
        (B, N) bool; an image may have no such patch.
    """
    batch, dim = action_texts.shape
    by_image = exocentric_tokens.reshape(batch, -1, dim)
    exocentric = text_similarity(by_image, action_texts)
    peaks = exocentric.reshape(batch, -1, exocentric_tokens.shape[1]).amax(dim=2)
    return text_similarity(egocentric_tokens, action_texts) > peaks.amin(dim=1, keepdim=True)


def saliency_mask(
    class_attention: torch.Tensor, heads: Sequence[int] | None = None
) -> torch.Tensor:
    """Patches of the main object, by the class token's attention (as in LOCATE).

    Each head's attention is binarised at its own mean; the votes are binarised at their mean.

    Args:
        class_attention: (B, heads, N) float.
        heads: those that vote; all of them by default.

    Returns:
        (B, N) bool.
    """
    share = min_max(head_votes(class_attention, heads), dims=1, epsilon=1e-15)
    return share > share.mean(dim=1, keepdim=True)


def head_votes(class_attention: torch.Tensor, heads: Sequence[int] | None = None) -> torch.Tensor:
    """Share of the heads that attend to a patch more than to the mean patch.

    Args:
        class_attention: (B, heads, N) float.
        heads: those that vote; all of them by default.

    Returns:
        (B, N) float in [0, 1].
    """
    votes = class_attention > class_attention.mean(dim=-1, keepdim=True)
    if heads is not None:
        votes = votes[:, list(heads)]
    return votes.to(class_attention.dtype).mean(dim=1)
