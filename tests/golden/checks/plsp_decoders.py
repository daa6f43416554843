"""Verb fuser and heat decoder of WSAG-PLSP, each alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from affordance_grounding_core.methods.plsp.attention import sine_cosine_positions
from checks.comparison import Array, Case, Comparison, cases_with
from checks.plsp_models import (
    agreeing_heads,
    decoder,
    divisors,
    fuser,
    largest_error,
    side_of,
    tensor,
    weights_of,
)


def matches(arrays: Mapping[str, Array], stem: str) -> bool:
    """Holds image tokens and queries without an encoder, or positions."""
    has_tokens = bool(cases_with(arrays, "x", "text"))
    return has_tokens and not any(key.startswith("w/encoder.") for key in arrays)


@torch.no_grad()
def checks(arrays: Mapping[str, Array], stem: str) -> Iterator[Comparison]:
    """Compare both modules, their inner steps and the positions."""
    for case in cases_with(arrays, "x", "text"):
        affordance = yield from _fuser(case, arrays)
        yield from _decoder(case, arrays, affordance)
    for key in arrays:
        case_name, _, quantity = key.rpartition(".")
        yield from _positions(Case(case_name, arrays), quantity)


def _fuser(case: Case, arrays: Mapping[str, Array]) -> Iterator[Comparison]:
    weights = weights_of(arrays, "verb_fuser.")
    tokens = tensor(case["x"])
    query = tensor(case["text"]).reshape(len(tokens), 1, -1)
    side = side_of(tokens.shape[1] - 1)

    def run(heads: int) -> torch.Tensor:
        return fuser(weights, heads)(tokens, query, side, side)

    (heads,), *_ = agreeing_heads(
        [divisors(tokens.shape[2], likely=4)],
        lambda heads: largest_error(run(heads[0]), case["aff_token"]),
    )
    module = fuser(weights, heads)
    affordance = module(tokens, query, side, side)
    normed = module.norm(tokens)
    yield from case.compare("aff_token", affordance)
    yield from case.compare("patch_tokens", normed)
    yield from case.compare("heatmap", affordance @ normed.transpose(1, 2))
    return affordance


def _decoder(
    case: Case, arrays: Mapping[str, Array], affordance: torch.Tensor
) -> Iterator[Comparison]:
    weights = weights_of(arrays, "pred_decoder.")
    tokens = tensor(case["x"])
    side = side_of(tokens.shape[1] - 1)
    (heads,), *_ = agreeing_heads(
        [divisors(tokens.shape[2] // 2, likely=8)],
        lambda heads: largest_error(
            decoder(weights, heads[0])(tokens, affordance, side, side), case["masks"]
        ),
    )
    module = decoder(weights, heads)
    yield from case.compare("masks", module(tokens, affordance, side, side))
    token, image = module.attend(tokens, affordance, side, side)
    upscaled = module.output_upscaling(image)
    yield from case.compare("token_out", token)
    yield from case.compare("src", image)
    yield from case.compare("hyper", module.output_hypernetworks_mlp(token))
    if "upscaled" in case:  # the file may hold its first channels only
        yield from case.compare("upscaled", upscaled[:, : case["upscaled"].shape[1]])
    yield from case.compare("masks_no_token", module(tokens, None, side, side))
    for quantity in case:
        kind, _, size = quantity.partition("_")
        if kind == "pe" and "x" in size:
            rows, columns = (int(number) for number in size.split("x"))
            ours = module.pe_layer(rows, columns).T.reshape(-1, rows, columns)
            yield from case.compare(quantity, ours)


def _positions(case: Case, quantity: str) -> Iterator[Comparison]:
    """`sincos_<patches>_<width>[_cls<tokens without position>]`."""
    if not quantity.startswith("sincos_"):
        return
    patches, width, *rest = quantity.removeprefix("sincos_").split("_")
    first = int(rest[0].removeprefix("cls")) if rest else 0
    side = side_of(int(patches))
    table = sine_cosine_positions(side, side, int(width))
    ours = torch.cat([torch.zeros(first, int(width)), table])
    yield from case.compare(quantity, ours.reshape(case[quantity].shape))
