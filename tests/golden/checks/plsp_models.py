"""Networks of WSAG-PLSP in the sizes of a golden file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from affordance_grounding_core.methods.plsp.config import PlspNetworkConfig
from affordance_grounding_core.methods.plsp.decoder import HeatDecoder
from affordance_grounding_core.methods.plsp.encoders import ClipTokens
from affordance_grounding_core.methods.plsp.fuser import VerbFuser
from affordance_grounding_core.methods.plsp.network import PlspNetwork
from checks.comparison import Array, Comparison, as_array

_AGREEMENT = 1e-4
Weights = Mapping[str, torch.Tensor]
Module = TypeVar("Module", bound=nn.Module)


def weights_of(arrays: Mapping[str, Array], prefix: str = "") -> dict[str, torch.Tensor]:
    """The tensors of a golden file whose names begin with a prefix, without it."""
    start = f"w/{prefix}"
    return {
        key.removeprefix(start): torch.from_numpy(np.array(array))
        for key, array in arrays.items()
        if key.startswith(start)
    }


def tensor(array: Array) -> torch.Tensor:
    """A copy, so that nothing can change the golden numbers."""
    return torch.from_numpy(np.array(array))


def network(weights: Weights, heads: Sequence[int]) -> PlspNetwork:
    """The whole network.

    Args:
        weights: of the official names.
        heads: of encoder, fuser and decoder, which no tensor tells.
    """
    table, kernel = weights["encoder.positional_embedding"], weights["encoder.conv1.weight"]
    patch = kernel.shape[-1]
    encoder = ClipTokens(
        size=patch * side_of(len(table) - 1),
        patch_size=patch,
        width=table.shape[1],
        layers=_count(weights, "encoder.transformer.resblocks"),
        heads=heads[0],
        output_width=weights["encoder.proj"].shape[1],
    )
    config = PlspNetworkConfig(
        actions=len(weights["exo_cls.2.weight"]),
        width=encoder.output_width,
        fuser_depth=_count(weights, "verb_fuser.regressor_blocks"),
        fuser_heads=heads[1],
        decoder_depth=_count(weights, "pred_decoder.transformer.layers"),
        decoder_heads=heads[2],
        decoder_hidden=len(weights["pred_decoder.transformer.layers.0.mlp.lin1.weight"]),
        classifier_hidden=len(weights["exo_cls.0.weight"]),
    )
    return _loaded(PlspNetwork(config, encoder), weights)


def fuser(weights: Weights, heads: int) -> VerbFuser:
    """The verb fuser alone."""
    places, width = weights["rd_pos_embed"].shape[1:]
    side = side_of(places - 2)
    depth = _count(weights, "regressor_blocks")
    return _loaded(VerbFuser(width, depth, heads, 0.1, 0.1, side, side), weights)


def decoder(weights: Weights, heads: int) -> HeatDecoder:
    """The decoder alone."""
    hidden, width = weights["transformer.layers.0.mlp.lin1.weight"].shape
    depth = _count(weights, "transformer.layers")
    return _loaded(HeatDecoder(width, depth, heads, hidden), weights)


def agreeing_heads(
    candidates: Sequence[Sequence[int]], error: Callable[[tuple[int, ...]], float]
) -> list[tuple[int, ...]]:
    """Find the numbers of attention heads, which a golden file does not tell.

    Args:
        candidates: for each attention, the numbers that are possible.
        error: of the network with some numbers.

    Returns:
        The combinations that agree, where the attention is nearly even several of them; or
        the one with the least error.
    """
    errors = {heads: error(heads) for heads in product(*candidates)}
    agreeing = [heads for heads, value in errors.items() if value < _AGREEMENT]
    return agreeing or [min(errors, key=lambda heads: errors[heads])]


def excess(comparisons: Iterable[Comparison]) -> float:
    """Largest error in units of its tolerance."""
    largest = 0.0
    for one in comparisons:
        ours, golden = as_array(one.ours), as_array(one.golden)
        if ours.shape != golden.shape:
            return float("inf")
        allowed = one.atol + one.rtol * np.abs(golden)
        largest = max(largest, float(np.max(np.abs(ours - golden) / allowed, initial=0.0)))
    return largest


def divisors(width: int, likely: int) -> list[int]:
    """Numbers of heads that divide a width, the likely one first."""
    possible = [heads for heads in range(1, width + 1) if width % heads == 0]
    return sorted(possible, key=lambda heads: (heads != likely, heads))


def largest_error(ours: torch.Tensor, golden: Array) -> float:
    """Largest absolute error; infinite where shapes differ."""
    if tuple(ours.shape) != golden.shape:
        return float("inf")
    return float((ours.detach() - tensor(golden)).abs().max())


def side_of(patches: int) -> int:
    """Side of a square grid of patches."""
    return round(patches**0.5)


def _loaded(module: Module, weights: Weights) -> Module:
    module.load_state_dict(dict(weights))
    return module.eval()


def _count(weights: Weights, prefix: str) -> int:
    numbers = {
        name.removeprefix(f"{prefix}.").split(".")[0]
        for name in weights
        if name.startswith(f"{prefix}.")
    }
    return len(numbers)
