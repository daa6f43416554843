"""The guesses that a model has to beat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from affordance_grounding_core.data.agd20k import (
    TrainingSet,
    read_evaluation_set,
    read_training_set,
)
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.evaluation.baselines import (
    centre_prior_baseline,
    evaluate_baselines,
    mean_label_baseline,
    uniform_baseline,
)
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.evaluation.summary import mean_score
from affordance_grounding_core.images import read_grey

ACTIONS = ("hold", "drink_with", "hit")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_uniform_has_the_entropy_of_the_truth_and_no_preference(
    drawn_data: Path, name: str
) -> None:
    protocol = PROTOCOLS[name]
    image = read_evaluation_set(drawn_data).images[0]
    assert image.ground_truth is not None
    scores = evaluate_baselines([uniform_baseline(ACTIONS)], [image], protocol)["uniform"]
    truth = protocol.prepare_ground_truth(read_grey(image.ground_truth))
    share = truth[truth > 0] / truth.sum()
    entropy = np.sum(share * np.log(share * truth.size))
    assert scores[0].score.kld == pytest.approx(entropy, rel=1e-4)
    assert scores[0].score.nss == 0


def test_the_centre_prior_is_hottest_in_the_middle() -> None:
    (prior,) = centre_prior_baseline(["hold"], PROTOCOLS["locate"]).predictions.values()
    assert prior.max() == pytest.approx(1)
    np.testing.assert_allclose(prior, prior[::-1, ::-1], atol=1e-6)
    assert (prior[111:113, 111:113] > 0.999).all()
    assert prior[0, 0] == 0


def test_the_mean_label_knows_where_parts_lie(drawn_data: Path) -> None:
    protocol = PROTOCOLS["locate"]
    guesses = [
        uniform_baseline(ACTIONS),
        mean_label_baseline(read_training_set(drawn_data), protocol),
    ]
    scores = evaluate_baselines(guesses, read_evaluation_set(drawn_data).images, protocol)
    uniform, mean = mean_score(scores["uniform"]), mean_score(scores["mean_of_train"])
    assert uniform.n == mean.n == 8
    assert mean.kld < uniform.kld / 2


def test_an_action_without_masks_has_no_mean_label(drawn_data: Path) -> None:
    training = read_training_set(drawn_data)
    only_hit = tuple(item for item in training.egocentric if item.action == "hit")
    some = TrainingSet(training.folder, None, only_hit, (), ())
    baseline = mean_label_baseline(some, PROTOCOLS["locate"])
    scores = evaluate_baselines(
        [baseline], read_evaluation_set(drawn_data).images, PROTOCOLS["locate"]
    )
    assert {item.image.action for item in scores["mean_of_train"]} == {"hit"}


def test_a_training_set_without_masks_is_refused(drawn_data: Path) -> None:
    (drawn_data / "trainset" / "PL").rename(drawn_data / "elsewhere")
    with pytest.raises(DatasetError, match="no part masks"):
        mean_label_baseline(read_training_set(drawn_data), PROTOCOLS["locate"])
