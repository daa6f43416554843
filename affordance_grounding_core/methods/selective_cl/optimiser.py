"""The published optimiser: momentum SGD with a rate for each kind of parameter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class OptimiserConfig:
    """Options of the optimiser and its schedule.

    The rates of the released code are kept by default, because the published numbers were
    reached with them: parameters named "fc" learn at 10 times the rate. LOCATE, which the code
    comes from, called its classifier `aff_fc`; renamed to `aff_classifier` it learns at the plain
    rate. `classifier_factor: 10` gives LOCATE's rate back.

    Attributes:
        learning_rate: of weights.
        momentum: Nesterov's.
        weight_decay: of all parameters, biases and norms too.
        bias_factor: rate of biases, as a multiple of that of the weights beside them.
        projection_factor: rate of the projection MLP (parameters named "fc").
        classifier_factor: rate of the classifier.
        step_epochs: after so many epochs rates are multiplied by `step_factor`.
        step_factor: see `step_epochs`.
    """

    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 5e-4
    bias_factor: float = 2.0
    projection_factor: float = 10.0
    classifier_factor: float = 1.0
    step_epochs: int = 50
    step_factor: float = 0.1

    def __post_init__(self) -> None:
        for name in ("learning_rate", "bias_factor", "projection_factor", "classifier_factor"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if not 0.0 < self.momentum < 1.0:
            raise ValueError(f"Nesterov's momentum must lie in (0, 1), got {self.momentum}")
        if self.weight_decay < 0 or self.step_epochs < 1 or self.step_factor <= 0:
            raise ValueError(
                "weight_decay must not be negative, step_epochs at least 1 and step_factor "
                f"positive, got {self.weight_decay}, {self.step_epochs} and {self.step_factor}"
            )


def parameter_groups(head: nn.Module, config: OptimiserConfig) -> list[dict[str, Any]]:
    """Sort the trained parameters by their rate.

    Args:
        head: whose parameters are trained.
        config: rates.

    Returns:
        Groups for `torch.optim`, each with "params", "lr" and the "name" it is logged by.
    """
    factors = {
        "projection": config.projection_factor,
        "classifier": config.classifier_factor,
        "rest": 1.0,
    }
    groups: dict[str, dict[str, Any]] = {}
    for name, parameter in head.named_parameters():
        if not parameter.requires_grad:
            continue
        part = _part(name)
        kind = "bias" if name.rsplit(".", 1)[-1] == "bias" else "weight"
        rate = config.learning_rate * factors[part] * (config.bias_factor if kind == "bias" else 1)
        group = groups.setdefault(
            f"{part} {kind}", {"params": [], "lr": rate, "name": f"{part} {kind}"}
        )
        group["params"].append(parameter)
    return list(groups.values())


def build_optimiser(
    head: nn.Module, config: OptimiserConfig
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Make the optimiser and its schedule, which steps once an epoch."""
    optimiser = torch.optim.SGD(
        parameter_groups(head, config),
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        nesterov=True,
    )
    schedule = torch.optim.lr_scheduler.StepLR(
        optimiser, step_size=config.step_epochs, gamma=config.step_factor
    )
    return optimiser, schedule


def _part(name: str) -> str:
    if "fc" in name:
        return "projection"
    return "classifier" if "classifier" in name else "rest"
