"""KLD, SIM and NSS of the protocol of LOCATE and SelectiveCL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from affordance_grounding_core.evaluation import metrics
from affordance_grounding_core.evaluation.protocols import LocateProtocol
from checks.comparison import Array, Case, Comparison, cases_with


def matches(arrays: Mapping[str, Array], stem: str) -> bool:
    """Holds predictions with ground truths and `kl`, or maps before and after min-max."""
    return bool(cases_with(arrays, "pred", "gt", "kl")) or bool(cases_with(arrays, "out56"))


def checks(arrays: Mapping[str, Array], stem: str) -> Iterator[Comparison]:
    """Compare metrics and the preparation of both maps."""
    for case in cases_with(arrays, "pred", "gt"):
        yield from _metrics(case)
        yield from _preparation(case)
    for case in cases_with(arrays, "in"):
        for quantity in case:
            if quantity.startswith("out"):
                protocol = LocateProtocol(case[quantity].shape[-1])
                yield from case.compare(quantity, protocol.prepare_prediction(case["in"]))


def _metrics(case: Case) -> Iterator[Comparison]:
    predicted, true = case["pred"], case["gt"]
    yield from case.compare("kl", metrics.locate_kld(predicted, true))
    yield from case.compare("sim", metrics.locate_sim(predicted, true))
    ours = metrics.locate_nss(predicted, true)
    if predicted.min() == predicted.max() and "nss" in case:
        # The published code divides rounding noise by rounding noise there; ours is 0.
        undefined = np.full_like(case["nss"], np.nan)
        yield Comparison(case.name, "nss (constant: finite)", ours, undefined)
    else:
        yield from case.compare("nss", ours)


def _preparation(case: Case) -> Iterator[Comparison]:
    protocol = LocateProtocol(case["pred"].shape[-1])
    for quantity in case:
        if quantity.startswith("pred") and quantity[4:].isdigit():
            ours = protocol.prepare_prediction(case[quantity])
            yield Comparison(case.name, f"pred of {quantity}", ours, case["pred"])
    if "gt_uint8" in case:
        grey = case["gt_uint8"].astype(np.float32) / 255.0
        ours = protocol.prepare_ground_truth(grey)
        yield Comparison(case.name, "gt of gt_uint8", ours, case["gt"])
    yield from case.compare("crop_size", protocol.size)
