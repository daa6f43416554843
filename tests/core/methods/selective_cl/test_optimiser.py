"""Rates of the parameters, as the released code sorts them by name."""

from __future__ import annotations

import pytest

from affordance_grounding_core.methods.selective_cl.config import (
    OptimiserConfig,
    SelectiveHeadConfig,
    build_optimiser,
    parameter_groups,
)
from affordance_grounding_core.methods.selective_cl.network import SelectiveHead

HEAD = SelectiveHead(SelectiveHeadConfig(3, feature_width=12, hidden=8))


def rates(config: OptimiserConfig) -> dict[str, float]:
    by_identity = {
        id(parameter): group["lr"]
        for group in parameter_groups(HEAD, config)
        for parameter in group["params"]
    }
    return {name: by_identity[id(value)] for name, value in HEAD.named_parameters()}


def test_rates_are_the_published_ones() -> None:
    found = rates(OptimiserConfig())
    assert len(found) == len(list(HEAD.parameters()))
    for name, rate in found.items():
        factor = (10 if "fc" in name else 1) * (2 if name.endswith("bias") else 1)
        assert rate == pytest.approx(1e-3 * factor), name


def test_the_rate_locate_gave_its_classifier_can_be_had_back() -> None:
    found = rates(OptimiserConfig(classifier_factor=10))
    assert found["aff_classifier.weight"] == pytest.approx(1e-2)
    assert found["aff_classifier.bias"] == pytest.approx(2e-2)
    assert found["aff_ego_proj.0.weight"] == pytest.approx(1e-3)


def test_the_schedule_steps_down() -> None:
    optimiser, schedule = build_optimiser(HEAD, OptimiserConfig(step_epochs=2))
    seen = []
    for _ in range(3):
        seen.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert seen[0] == seen[1] == pytest.approx(10 * seen[2])
    assert all(group["nesterov"] and group["momentum"] == 0.9 for group in optimiser.param_groups)
    assert all(group["weight_decay"] == 5e-4 for group in optimiser.param_groups)


@pytest.mark.parametrize(
    "options", [{"learning_rate": 0}, {"momentum": 1.0}, {"weight_decay": -1}, {"step_epochs": 0}]
)
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        OptimiserConfig(**options)  # type: ignore[arg-type]
