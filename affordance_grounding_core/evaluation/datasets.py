"""A test set of AGD20K's layout, with what the training set beside it tells."""

from __future__ import annotations

from collections.abc import Collection

from affordance_grounding_core.data.agd20k import (
    EvaluationSet,
    TrainingSet,
    affordances_of_objects,
    read_training_set,
    select_objects,
)
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.evaluation.baselines import (
    centre_prior_baseline,
    evaluate_baselines,
    mean_label_baseline,
    uniform_baseline,
)
from affordance_grounding_core.evaluation.evaluate import Evaluation, evaluate_grounder
from affordance_grounding_core.evaluation.protocols import EvaluationProtocol
from affordance_grounding_core.evaluation.summary import ImageScore
from affordance_grounding_core.inference.grounder import Grounder


def training_set_beside(dataset: EvaluationSet) -> TrainingSet | None:
    """Read the training set that lies beside a test set, if there is one."""
    folder = dataset.folder.resolve().parent / "trainset"
    return read_training_set(folder) if folder.is_dir() else None


def evaluate_test_set(
    grounder: Grounder,
    dataset: EvaluationSet,
    training: TrainingSet | None,
    protocol: EvaluationProtocol,
    objects: Collection[str] = (),
    *,
    show_progress: bool = False,
) -> Evaluation:
    """Ground the pictures of a test set, or of some classes of objects in it.

    What an object affords is learned from all that the data says of its class: from the whole test
    set and the training set beside it.

    Args:
        grounder: grounder to evaluate.
        dataset: images and ground truth.
        training: beside it, where there is one.
        protocol: evaluation protocol that scores the maps.
        objects: classes to evaluate; none for all.
        show_progress: whether to draw a progress bar, where stderr is a terminal.

    Raises:
        DatasetError: a class that the test set does not have, or no image could be scored.
    """
    affordances = affordances_of_objects(
        [*dataset.images, *training.egocentric, *training.exocentric]
        if training
        else dataset.images
    )
    chosen = select_objects(dataset, objects)
    return evaluate_grounder(grounder, chosen, protocol, affordances, show_progress=show_progress)


def score_baselines(
    evaluation: Evaluation, training: TrainingSet | None, protocol: EvaluationProtocol
) -> tuple[dict[str, list[ImageScore]], str]:
    """Score the guesses on the images a model was scored on.

    Args:
        evaluation: evaluation of the model.
        training: training set with part masks, for the mean label; None where there is none.
        protocol: evaluation protocol that scores the maps.

    Returns:
        Scores by the guess's name; and why the mean label is missing, "" where it is not.
    """
    images = [score.image for score in evaluation.scores]
    actions = {image.action for image in images}
    guesses = [uniform_baseline(actions), centre_prior_baseline(actions, protocol)]
    missing = ""
    try:
        if training is None:
            raise DatasetError("there is no trainset beside the test set")
        guesses.append(mean_label_baseline(training, protocol, show_progress=True))
    except DatasetError as error:
        missing = str(error)
    return evaluate_baselines(guesses, images, protocol), missing
