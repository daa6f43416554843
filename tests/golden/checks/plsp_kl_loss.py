"""The KL term of WSAG-PLSP on its own, with samples left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from affordance_grounding_core.methods.plsp.losses import distribution_loss
from checks.comparison import Array, Comparison, cases_with
from checks.plsp_models import tensor


def matches(arrays: Mapping[str, Array], stem: str) -> bool:
    """Holds logits, labels and at least one `valid_<name>`."""
    return any(
        quantity.startswith("valid_")
        for case in cases_with(arrays, "logits", "target")
        for quantity in case
    )


@torch.no_grad()
def checks(arrays: Mapping[str, Array], stem: str) -> Iterator[Comparison]:
    """Compare the loss for every choice of samples, from logits and from probabilities."""
    for case in cases_with(arrays, "logits", "target"):
        logits, labels = tensor(case["logits"]), tensor(case["target"])
        for quantity in list(case):
            if not quantity.startswith("valid_"):
                continue
            name, valid = quantity.removeprefix("valid_"), tensor(case[quantity])
            yield from case.compare(name, distribution_loss(logits, labels, valid))
            probabilities = logits.flatten(1).softmax(1).reshape(logits.shape)
            ours = distribution_loss(probabilities.log(), labels, valid)
            yield from case.compare(f"{name}_already_softmax", ours)
