"""Contract of the networks that a grounder runs: pixels and actions in, heat out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import nn


class GroundingNetwork(nn.Module, ABC):
    """A trained network with everything that shapes its answer.

    What shapes an answer is a parameter, a buffer, or part of `settings()`: stored engines are
    found by these, so a number kept anywhere else would let an engine of the past answer.

    Attributes:
        answers_all_at_once: whether the heat of all actions costs hardly more than that of one.
            One run of an engine then answers the whole vocabulary; otherwise a run answers one
            action, as a robot asks it.
    """

    answers_all_at_once: ClassVar[bool] = False

    @abstractmethod
    def forward(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Compute the heat of some actions.

        Args:
            pixels: (1, 3, h, w) float32, normalised as the model's `Preprocess` does.
            actions: (K,) int64 indices into the vocabulary.

        Returns:
            (K, rows, columns) in [0, 1], comparable between frames. A network that draws part
            masks returns (2 K, rows, columns): the heat of all actions first, then, for each,
            how sure a place belongs to the part, in [0, 1].
        """

    @abstractmethod
    def raw_maps(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Compute what heat is made of, and fitted on.

        Args:
            pixels: (1, 3, h, w) float32, normalised.
            actions: (K,) int64 indices.

        Returns:
            (K, rows, columns) of any sign and scale.
        """

    def evaluation_maps(
        self, pixels: torch.Tensor, actions: torch.Tensor
    ) -> Mapping[str, torch.Tensor]:
        """Compute the maps that the method's paper scores.

        Args:
            pixels: (1, 3, h, w) float32, normalised.
            actions: (K,) int64 indices.

        Returns:
            (K, rows, columns) by name, of any sign and scale; empty where heat itself is scored.
        """
        return {}

    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """Return what shapes the answer beside parameters and buffers, as plain values for JSON."""


class KeepsFloat32(nn.Module):
    """Base of modules that stay in float32 when the network around them is cast to 16 bits."""


class KeepsFloatingPoint(nn.Module):
    """Base of modules that int8 leaves in floating point."""
