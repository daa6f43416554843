"""Checks a state dict against a network and names what does not fit."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from affordance_grounding_core.errors import WeightsError

_SHOWN = 5


def require_fit(
    expected: Mapping[str, torch.Tensor],
    found: Mapping[str, torch.Tensor],
    network: str,
    wanted: str,
) -> None:
    """Check the names and shapes of weights.

    Args:
        expected: state dict of the network, of which only the shapes are looked at.
        found: state dict to be loaded.
        network: what they are loaded into, for the message.
        wanted: what the right weights are, for the message.

    Raises:
        WeightsError: a tensor is missing, unknown or of another shape.
    """
    missing = sorted(expected.keys() - found.keys())
    unknown = sorted(found.keys() - expected.keys())
    reshaped = sorted(
        f"{name} {tuple(found[name].shape)} instead of {tuple(value.shape)}"
        for name, value in expected.items()
        if name in found and found[name].shape != value.shape
    )
    if missing or unknown or reshaped:
        raise WeightsError(
            f"backbone weights do not fit {network}: {len(missing)} missing {missing[:_SHOWN]}, "
            f"{len(unknown)} unknown {unknown[:_SHOWN]}, {len(reshaped)} of another shape "
            f"{reshaped[:_SHOWN]}; expected {wanted}"
        )
