"""How much an answer changes when the camera is turned, or sees worse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from affordance_grounding_core.data.agd20k import EvaluationImage, EvaluationSet
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.evaluation.protocols import EvaluationProtocol
from affordance_grounding_core.evaluation.report import format_table
from affordance_grounding_core.images import read_grey, read_rgb
from affordance_grounding_core.inference.grounder import Grounder

Picture = NDArray[np.uint8]
Heat = NDArray[np.float32]

PLAIN = "plain"
"""Name of the picture as it is."""


@dataclass(frozen=True)
class Change:
    """One way in which a picture differs from the plain one.

    Attributes:
        name: in reports.
        apply: changes an (H, W, 3) uint8 picture.
        undo: brings heat of the changed picture back to the pixels of the plain one.
        turns: whether it is one of the eight orientations.
    """

    name: str
    apply: Callable[[Picture], Picture]
    undo: Callable[[Heat], Heat]
    turns: bool


@dataclass(frozen=True)
class ChangeScore:
    """Outcome of one change over a set of pairs.

    Attributes:
        name: of the change.
        turns: whether it is one of the eight orientations.
        kld: mean divergence after undoing the change, lower is better.
        peak_shift: mean way the hottest pixel moved against the plain picture's, as a share
            of the diagonal.
        found: share of pairs with heat at or above the model's threshold.
    """

    name: str
    turns: bool
    kld: float
    peak_shift: float
    found: float


def all_changes() -> tuple[Change, ...]:
    """The eight orientations, the plain one first, then what spoils a picture."""
    return (
        *(_turned(turns, mirrored) for mirrored in (False, True) for turns in range(4)),
        *(
            Change(name, apply, _same, turns=False)
            for name, apply in (
                ("JPEG 10", _compressed),
                ("blur", _blurred),
                ("quarter light", _darkened),
                ("grey", _grey),
            )
        ),
    )


def evaluate_robustness(
    grounder: Grounder,
    images: Sequence[EvaluationImage],
    protocol: EvaluationProtocol,
    *,
    show_progress: bool = False,
) -> list[ChangeScore]:
    """Score a grounder on every changed picture.

    Args:
        grounder: to evaluate.
        images: those with ground truth whose action the grounder knows are used.
        protocol: of the scores.
        show_progress: whether to draw a progress bar, where stderr is a terminal.

    Returns:
        One score a change, the plain picture's first.

    Raises:
        DatasetError: no image can be scored.
        InvalidImageError: a picture or ground truth cannot be read.
    """
    known = [i for i in images if i.ground_truth is not None and i.action in grounder.actions]
    if not known:
        raise DatasetError(
            "robustness needs images with ground truth of actions the model knows, got none of "
            f"{len(images)}; the model knows {list(grounder.actions)}"
        )
    changes = all_changes()
    rows: dict[str, list[tuple[float, float, bool]]] = {change.name: [] for change in changes}
    quiet = None if show_progress else True
    for item in tqdm(known, desc="robustness", unit="picture", disable=quiet):
        for name, row in _scores_of(grounder, item, protocol, changes).items():
            rows[name].append(row)
    return [
        ChangeScore(
            change.name,
            change.turns,
            *(float(np.mean(values)) for values in zip(*rows[change.name], strict=True)),
        )
        for change in changes
    ]


def evaluate_changes(
    grounder: Grounder,
    dataset: EvaluationSet,
    protocol: EvaluationProtocol,
    count: int,
    *,
    show_progress: bool = False,
) -> list[ChangeScore]:
    """Score some pictures of a test set, evenly chosen; see `evaluate_robustness`.

    Args:
        grounder: to evaluate.
        dataset: to choose from.
        protocol: of the scores.
        count: of the pictures, at most.
        show_progress: whether to draw a progress bar, where stderr is a terminal.
    """
    known = [image for image in dataset.annotated if image.action in grounder.actions]
    step = max(1, len(known) // max(1, count))
    return evaluate_robustness(
        grounder, known[::step][:count], protocol, show_progress=show_progress
    )


def changes_as_text(scores: Sequence[ChangeScore]) -> str:
    """Return the scores as an aligned table of plain text."""
    rows = [
        [s.name, f"{s.kld:.3f}", f"{100 * s.peak_shift:.1f} %", f"{100 * s.found:.1f} %"]
        for s in scores
    ]
    table = format_table(["changed picture", "KLD", "peak shift", "found"], rows)
    return f"{table}\nworst of eight orientations / plain: {worst_orientation(scores):.2f}"


def worst_orientation(scores: Sequence[ChangeScore]) -> float:
    """Highest KLD of the eight orientations over that of the plain picture."""
    plain = next(score.kld for score in scores if score.name == PLAIN)
    return max(score.kld for score in scores if score.turns) / plain


def _scores_of(
    grounder: Grounder,
    item: EvaluationImage,
    protocol: EvaluationProtocol,
    changes: Sequence[Change],
) -> Mapping[str, tuple[float, float, bool]]:
    """KLD, peak shift and whether it is found, of one pair under every change."""
    assert item.ground_truth is not None
    picture = read_rgb(item.image)
    truth = protocol.prepare_ground_truth(read_grey(item.ground_truth))
    diagonal = float(np.hypot(*picture.shape[:2]))
    rows: dict[str, tuple[float, float, bool]] = {}
    origin: tuple[int, int] | None = None
    for change in changes:
        (seen,) = grounder.heatmaps(np.ascontiguousarray(change.apply(picture)), [item.action])
        heat = np.ascontiguousarray(change.undo(seen))
        peak = np.unravel_index(int(heat.argmax()), heat.shape)
        here = (int(peak[0]), int(peak[1]))
        origin = origin or here
        shift = float(np.hypot(here[0] - origin[0], here[1] - origin[1])) / diagonal
        score = protocol.score(protocol.prepare_prediction(heat), truth)
        rows[change.name] = score.kld, shift, bool(heat.max() >= grounder.regions.threshold)
    return rows


def _turned(turns: int, mirrored: bool) -> Change:
    def apply(picture: Picture) -> Picture:
        return np.rot90(picture[:, ::-1] if mirrored else picture, turns)

    def undo(heat: Heat) -> Heat:
        upright = np.rot90(heat, -turns)
        return upright[:, ::-1] if mirrored else upright

    words = [*(["mirrored"] if mirrored else []), *([f"turned {90 * turns}°"] if turns else [])]
    return Change(", ".join(words) or PLAIN, apply, undo, turns=True)


def _same(heat: Heat) -> Heat:
    return heat


def _compressed(picture: Picture) -> Picture:
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 10])
    decoded = np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR))
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def _blurred(picture: Picture) -> Picture:
    """Blur by one hundredth of the picture's side."""
    sigma = 0.01 * float(np.sqrt(picture.shape[0] * picture.shape[1]))
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)


def _darkened(picture: Picture) -> Picture:
    return np.asarray(picture // 4, np.uint8)


def _grey(picture: Picture) -> Picture:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)
