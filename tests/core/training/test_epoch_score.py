"""Scores of an epoch survive being written down."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affordance_grounding_core.evaluation.protocols import MapScore
from affordance_grounding_core.training.epoch_score import EpochScore

SCORES = st.builds(MapScore, *[st.floats(-9, 9)] * 3)


@dataclass(frozen=True)
class TwoMaps(EpochScore):
    coarse: MapScore
    fine: MapScore


@given(epoch=st.integers(-1, 99), coarse=SCORES, fine=SCORES)
def test_scores_are_read_back_as_they_were(epoch: int, coarse: MapScore, fine: MapScore) -> None:
    score = TwoMaps(epoch, coarse, fine)
    assert TwoMaps.from_dict(json.loads(json.dumps(score.as_dict()))) == score
    assert TwoMaps.of_kinds(epoch, [coarse, fine]) == score
    assert score.of_kind("fine") is fine
    assert list(score.as_dict()) == [
        "epoch",
        *("coarse_kld", "coarse_sim", "coarse_nss"),
        *("fine_kld", "fine_sim", "fine_nss"),
    ]


def test_every_kind_of_map_needs_a_score() -> None:
    with pytest.raises(ValueError, match="zip"):
        TwoMaps.of_kinds(0, [MapScore(1, 0.5, 2)])
