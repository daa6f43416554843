"""Pictures of an evaluation: image, ground truth and answer side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.evaluation.evaluate import Evaluation, RightPair
from affordance_grounding_core.evaluation.ground_truth import read_heat
from affordance_grounding_core.images import read_rgb, write_png
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.inference.overlay import blend_heat, draw_caption, draw_overlay

_GAP = 4


def write_pictures(
    grounder: Grounder, evaluation: Evaluation, folder: Path, count: int, seed: int = 0
) -> list[Path]:
    """Write the best, the worst and some random cases, by KLD.

    Args:
        grounder: grounder that was evaluated.
        evaluation: its outcome.
        folder: folder to write to, made where needed.
        count: pictures of each kind, as far as there are so many.
        seed: seed of the random choice.

    Returns:
        The files, named KIND_NUMBER_ACTION_IMAGE.png.

    Raises:
        ValueError: a count below 1.
    """
    written = []
    for kind, pairs in choose_cases(evaluation.right, count, seed).items():
        for number, pair in enumerate(pairs, start=1):
            item = pair.result.image
            path = folder / f"{kind}_{number:02d}_{item.action}_{item.image.stem}.png"
            write_png(path, draw_case(grounder, pair))
            written.append(path)
    return written


def choose_cases(
    pairs: Sequence[RightPair], count: int, seed: int = 0
) -> dict[str, list[RightPair]]:
    """Choose the best, the worst and some random pairs, by KLD.

    Raises:
        ValueError: a count below 1.
    """
    if count < 1:
        raise ValueError(f"the number of pictures of each kind must be at least 1, got {count}")
    ranked = sorted(pairs, key=lambda pair: pair.result.score.kld)
    size = min(count, len(ranked))
    drawn = np.random.default_rng(seed).choice(len(ranked), size=size, replace=False)
    return {
        "best": ranked[:size],
        "worst": ranked[::-1][:size],
        "random": [pairs[index] for index in drawn],
    }


def draw_case(grounder: Grounder, pair: RightPair) -> NDArray[np.uint8]:
    """Draw image, ground truth and answer of one pair side by side.

    Returns:
        (H, 3 W + 8, 3) uint8, RGB.
    """
    item = pair.result.image
    image = read_rgb(item.image)
    height, width = image.shape[:2]
    truth = _scaled(read_heat(item), height, width)
    labelled = blend_heat(image, truth)
    draw_caption(labelled, "ground truth")
    plain = image.copy()
    draw_caption(plain, f"KLD {pair.result.score.kld:.2f}")
    answer = draw_overlay(image, grounder.ground(image, item.action))
    gap = np.full((height, _GAP, 3), 255, np.uint8)
    return np.hstack([plain, gap, labelled, gap, answer])


def _scaled(truth: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    resized = cv2.resize(truth, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.float32)
