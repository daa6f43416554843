"""Vectors that stand for actions, objects and parts.

With CLIP they are the text vectors of bare words: the action ("cut with"), the object class
("wine glass") and the part name of the table ("knife blade"); several phrases of one part are
averaged. Without a text encoder, action vectors are learned, and objects and parts are told
apart by fixed random codes: a code that could learn would make its own loss vanish.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from affordance_grounding_core.labelling.part_names import PartNames, object_phrase


class TextEncoder(Protocol):
    """Turns texts into vectors, as `backbones.clip.ClipTextEncoder` does."""

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        """Encode K texts to (K, D)."""
        ...


def action_words(action: str) -> str:
    """Turn the name of an action into words: "cut_with" -> "cut with"."""
    return action.replace("_", " ")


def encode_actions(encoder: TextEncoder, actions: Sequence[str]) -> torch.Tensor:
    """Text vectors of actions, (K, D) float32."""
    return encoder.encode([action_words(action) for action in actions]).float()


def encode_objects(encoder: TextEncoder, objects: Sequence[str]) -> torch.Tensor:
    """Text vectors of object classes, (K, D) float32."""
    return encoder.encode([object_phrase(name) for name in objects]).float()


def encode_parts(
    encoder: TextEncoder, pairs: Sequence[tuple[str, str]], names: PartNames
) -> torch.Tensor:
    """Text vectors of the parts that afford an action.

    Args:
        encoder: of texts.
        pairs: K of (action, object).
        names: of the parts.

    Returns:
        (K, D) float32.

    Raises:
        PartNameError: a pair has no part name.
    """
    names.require(pairs)
    means = [encoder.encode(list(names.phrases(*pair))).float().mean(0) for pair in pairs]
    return torch.stack(means)


def name_codes(names: Sequence[str], width: int) -> torch.Tensor:
    """Fixed random codes, the same for a name in every run.

    Args:
        names: K of them.
        width: channels.

    Returns:
        (K, width) float32, normally distributed.
    """
    codes = []
    for name in names:
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
        codes.append(np.random.default_rng(number).standard_normal(width, np.float32))
    return torch.from_numpy(np.stack(codes))
