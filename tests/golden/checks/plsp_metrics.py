"""KLD, SIM and NSS of the protocol of WSAG-PLSP, over batches of flat distributions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from affordance_grounding_core.evaluation import metrics
from checks.comparison import Array, Case, Comparison, cases_with


def matches(arrays: Mapping[str, Array], stem: str) -> bool:
    """Holds predictions with ground truths and `KLD_batchmean`."""
    return bool(cases_with(arrays, "pred", "gt", "KLD_batchmean"))


def checks(arrays: Mapping[str, Array], stem: str) -> Iterator[Comparison]:
    """Compare the means over the batch, and the divergence map by map."""
    for case in cases_with(arrays, "pred", "gt", "KLD_batchmean"):
        yield from _check(case)


def _check(case: Case) -> Iterator[Comparison]:
    # One row of pixels is a map as good as any: the metrics ask for no neighbours.
    predicted, true = case["pred"][:, None], case["gt"][:, None]
    divergence = metrics.plsp_kld(predicted, true)
    yield from case.compare("KLD_batchmean", divergence.mean())
    if "KLD_none" in case:
        golden = case["KLD_none"].sum(axis=1)
        yield Comparison(case.name, "KLD_none by map", divergence, golden)
    yield from case.compare("SIM", metrics.plsp_sim(predicted, true).mean())
    ours = metrics.plsp_nss(predicted, true).mean()
    if "NSS" in case and (predicted.min(axis=2) == predicted.max(axis=2)).any():
        # The published code divides rounding noise by rounding noise there; ours is 0.
        undefined = np.full_like(case["NSS"], np.nan)
        yield Comparison(case.name, "NSS (constant: finite)", ours, undefined)
    else:
        yield from case.compare("NSS", ours)
