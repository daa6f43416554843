"""A network and backends for processes that build; imports little, because each of them does."""

from __future__ import annotations

import os
import signal
from typing import Any

import torch
from torch import nn

from affordance_grounding_core.errors import ExportError
from affordance_grounding_core.inference.network import GroundingNetwork


class PatchNetwork(GroundingNetwork):
    """Heat of three actions from one convolution over patches."""

    answers_all_at_once = True

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 3, 14, 14)
        self.requires_grad_(False)

    def forward(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.raw_maps(pixels, actions))

    def raw_maps(self, pixels: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return self.patches(pixels)[0].index_select(0, actions)

    def settings(self) -> dict[str, Any]:
        return {}


class EndingBackend:
    """Ends its process without a word, as the system does when memory is short."""

    name = "ending"
    device = "cpu"

    def environment(self) -> dict[str, str]:
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    def options(self, candidate: Any) -> dict[str, str]:
        return {}


class TellingBackend(EndingBackend):
    """Says how its process is scheduled."""

    def environment(self) -> dict[str, str]:
        raise ExportError(
            f"niceness {os.getpriority(os.PRIO_PROCESS, 0)}, session {os.getsid(0)}, "
            f"leads its group: {os.getpgid(0) == os.getpid()}"
        )
