"""The whole of WSAG-PLSP: outputs, every term of the loss, gradients."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch.nn import functional

from affordance_grounding_core.methods.plsp.config import PlspLossConfig
from affordance_grounding_core.methods.plsp.losses import (
    PlspLoss,
    alignment_loss,
    distribution_loss,
    exocentric_tokens,
    text_loss,
    weighted_loss,
)
from affordance_grounding_core.methods.plsp.network import PlspAnswer, PlspNetwork
from checks.comparison import ATOL, GRADIENT_RTOL, Array, Case, Comparison, cases_with
from checks.plsp_models import (
    agreeing_heads,
    divisors,
    excess,
    largest_error,
    network,
    tensor,
    weights_of,
)

_LOSSES = {
    "kl_loss": "distribution",
    "sim_loss": "alignment",
    "cls_loss": "exocentric",
    "noun_sim_loss": "noun",
    "part_sim_loss": "part",
    "total": "total",
}
_GRADIENTS = {
    "enc_conv1": "encoder.conv1.weight",
    "noun0": "noun_transform.0.weight",
    "noun2": "noun_transform.2.weight",
    "reason0": "reason.0.weight",
    "reason2": "reason.2.weight",
    "exo_cls0": "exo_cls.0.weight",
    "exo_cls2": "exo_cls.2.weight",
}


@dataclass(frozen=True)
class Run:
    """One run of network and loss.

    Attributes:
        answer: of the network.
        alignment: hinge of every exocentric image, None without any.
        exocentric_logits: of the classifier, None without any.
        loss: terms and sum, None where the case has no label.
    """

    answer: PlspAnswer
    alignment: torch.Tensor | None
    exocentric_logits: torch.Tensor | None
    loss: PlspLoss | None


def matches(arrays: Mapping[str, Array], stem: str) -> bool:
    """Holds images, action vectors and the weights of all modules."""
    has_inputs = bool(cases_with(arrays, "image", "verb_feat"))
    return has_inputs and any(key.startswith("w/pred_decoder.") for key in arrays)


def checks(arrays: Mapping[str, Array], stem: str) -> Iterator[Comparison]:
    """Compare every case, and every variant of a case that shares its inputs."""
    weights = weights_of(arrays)
    for base in cases_with(arrays, "image", "verb_feat"):
        possible = _heads(base, weights)
        runs = (list(_all(base, arrays, network(weights, heads))) for heads in possible)
        yield from min(runs, key=excess) if len(possible) > 1 else next(runs)


def _all(base: Case, arrays: Mapping[str, Array], model: PlspNetwork) -> Iterator[Comparison]:
    for name in _variants(base, arrays):
        own = Case(name, arrays)
        yield from _case(own, ChainMap(dict(own), dict(base)), model)


def _heads(case: Case, weights: Mapping[str, torch.Tensor]) -> list[tuple[int, ...]]:
    """Find the numbers of heads by the heat, or the predicted noun where there is none."""
    known = next((name for name in ("heatmap", "infer_heatmap") if name in case), None)
    inner, width = weights["encoder.proj"].shape
    if known is None:
        return [(4, 4, 4)]

    def error(heads: tuple[int, ...]) -> float:
        with torch.no_grad():
            answer = network(weights, heads)(tensor(case["image"]), tensor(case["verb_feat"]))
        return largest_error(answer.logits, case[known])

    candidates = [divisors(inner, 4), divisors(width, 4), divisors(width // 2, 4)]
    return agreeing_heads(candidates, error)


def _variants(base: Case, arrays: Mapping[str, Array]) -> Iterator[str]:
    """The base case, and cases without inputs of their own, such as another form of a loss."""
    yield base.name
    if base.name:
        return
    names = {key.rpartition(".")[0] for key in arrays if not key.startswith(("w/", "images/"))}
    for name in sorted(names - {""}):
        if "image" not in Case(name, arrays):
            yield name


def _case(own: Case, inputs: Mapping[str, Array], model: PlspNetwork) -> Iterator[Comparison]:
    broadcasts = _broadcasts(own, inputs, model)
    model.zero_grad(set_to_none=True)
    run = _run(inputs, model, broadcasts)
    yield from own.compare("heatmap", run.answer.logits)
    yield from own.compare("infer_heatmap", run.answer.logits)
    yield from own.compare("pred_noun", run.answer.noun)
    yield from own.compare("pred_part", run.answer.part)
    yield from own.compare("sim_loss_vec", run.alignment)
    yield from own.compare("exo_logits", run.exocentric_logits)
    if run.loss is None:
        return
    for quantity, term in _LOSSES.items():
        yield from own.compare(quantity, getattr(run.loss, term))
    if any(quantity.startswith("grad_") for quantity in own):
        run.loss.total.backward()
        yield from _gradients(own, model)


def _gradients(case: Case, model: PlspNetwork) -> Iterator[Comparison]:
    parameters = dict(model.named_parameters())
    by_name = {name.replace(".", "_"): name for name in parameters}
    for quantity in case:
        if not quantity.startswith("grad_"):
            continue
        short, _, first = quantity.removeprefix("grad_").partition("_first")
        name = _GRADIENTS.get(short) or by_name.get(short) or by_name.get(f"{short}_weight")
        if name is None:
            raise KeyError(f"no parameter is known by {quantity!r}")
        gradient = parameters[name].grad
        ours = torch.zeros_like(parameters[name]) if gradient is None else gradient
        count = int(first) if first else len(case[quantity])
        yield from case.compare(quantity, ours[:count], GRADIENT_RTOL, ATOL)


def _broadcasts(own: Case, inputs: Mapping[str, Array], model: PlspNetwork) -> bool:
    """Whether nouns and parts are compared with the whole batch.

    Told by the shape of the vectors or by the name of the case, else by the golden number.
    """
    name = own.name.lower()
    if "noun_feat" not in inputs or inputs["noun_feat"].ndim == 3 or "3d" in name:
        return False
    if "noun_sim_loss" not in own or "1d" in name or "2d" in name:
        return True
    with torch.no_grad():
        noun = model(tensor(inputs["image"]), tensor(inputs["verb_feat"])).noun
    vectors = tensor(inputs["noun_feat"])
    golden = own.number("noun_sim_loss", 0.0)
    errors = [abs(float(text_loss(noun, vectors, quirk)) - golden) for quirk in (False, True)]
    return errors[1] < errors[0]


def _run(inputs: Mapping[str, Array], model: PlspNetwork, broadcasts: bool) -> Run:
    margin = float(inputs["margin"]) if "margin" in inputs else 0.1
    config = PlspLossConfig(margin=margin, published_quirks=broadcasts)
    answer = model(tensor(inputs["image"]), tensor(inputs["verb_feat"]))
    alignment = logits = classified = None
    if "exo" in inputs and len(inputs["exo"]):
        tokens, _, _ = model.encode(tensor(inputs["exo"]))
        objects = exocentric_tokens(tokens, tensor(inputs["exo_mask"]).squeeze(-1))
        alignment = alignment_loss(answer.affordance, objects, config.margin)
        logits = model.classify(objects)
        images = len(objects) // len(answer.logits)
        actions = tensor(inputs["vids"]).long().repeat_interleave(images)
        classified = functional.cross_entropy(logits, actions)
    if not {"gt_prob", "noun_feat", "part_feat"} <= set(inputs):
        return Run(answer, alignment, logits, None)
    valid = next((tensor(inputs[key]) for key in ("valid", "valid_input") if key in inputs), None)
    loss = weighted_loss(
        distribution_loss(answer.logits, tensor(inputs["gt_prob"]), valid),
        alignment,
        classified,
        text_loss(answer.noun, tensor(inputs["noun_feat"]), broadcasts),
        text_loss(answer.part, tensor(inputs["part_feat"]), broadcasts),
        config,
    )
    return Run(answer, alignment, logits, loss)
