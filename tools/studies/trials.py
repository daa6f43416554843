"""One trial: teach an action by a few training pictures, look for it in the test pictures."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.data.agd20k import EvaluationSet, TrainingImage, TrainingSet
from affordance_grounding_core.errors import DatasetError, TeachingError
from affordance_grounding_core.evaluation.evaluate import peak_on_part
from affordance_grounding_core.evaluation.protocols import EvaluationProtocol
from affordance_grounding_core.files import replace_file
from affordance_grounding_core.images import decode_rgb, read_bytes, read_grey
from affordance_grounding_core.inference.preprocess import ImageGeometry, Preprocess
from affordance_grounding_core.inference.regions import RegionConfig, extract_regions
from affordance_grounding_core.teaching.exemplars import Exemplar, make_exemplar
from affordance_grounding_core.teaching.features import PatchFeatures
from affordance_grounding_core.teaching.prototypes import Prototypes, TaughtScorer


class TooFewExamplesError(DatasetError):
    """A topic has fewer pictures whose part can be marked than are to be taught."""


class FeatureCache:
    """Unit features of pictures, by the content of their files.

    Args:
        folder: cache, made if needed.
        features: computes what is not there.

    Attributes:
        key: name of everything of the model that shapes features.
    """

    def __init__(self, folder: Path, features: PatchFeatures) -> None:
        self._folder = folder
        self._features = features
        self.key = _key(features.identity, features.preprocess.config)
        self._loaded: dict[str, NDArray[np.float32]] = {}

    def digest(self, picture: Path) -> str:
        """Identity of a picture: pictures of the same content are one."""
        return hashlib.sha256(read_bytes(picture)).hexdigest()

    def features(self, picture: Path) -> NDArray[np.float32]:
        """Features of a picture, (rows, columns, C) float32.

        Raises:
            InvalidImageError: it cannot be read.
        """
        content = read_bytes(picture)
        digest = hashlib.sha256(content).hexdigest()
        if digest not in self._loaded:
            file = self._folder / f"{digest[:32]}-{self.key}.npy"
            if not file.is_file():
                pixels, _ = self._features.preprocess(decode_rgb(content, picture))
                values = self._features.of_pixels(pixels).astype(np.float16)
                replace_file(file, _npy(values))
            self._loaded[digest] = np.load(file, allow_pickle=False).astype(np.float32)
        return self._loaded[digest]

    def coverage(
        self, mask: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], ImageGeometry]:
        """Share of the patches that a part covers, and the picture; and where the picture lies.

        Args:
            mask: (H, W) bool.
        """
        geometry = self._features.preprocess.geometry(*mask.shape)
        covered, inside = self._features.coverage(mask, geometry)
        return covered, inside, geometry


@dataclass(frozen=True)
class Topic:
    """What is taught: an action, by pictures of all its objects or of one.

    Attributes:
        action: its name.
        object_name: the object of exemplars and test pictures; None: all objects in turn.
    """

    action: str
    object_name: str | None


@dataclass(frozen=True)
class View:
    """A test picture.

    Attributes:
        digest: identity of its content.
        action: of its ground truth.
        object_name: class of the object shown.
        features: (rows, columns, C) float32.
        geometry: of the picture in the network input.
        ground_truth: (h, w) float32 in [0, 1].
    """

    digest: str
    action: str
    object_name: str
    features: NDArray[np.float32]
    geometry: ImageGeometry
    ground_truth: NDArray[np.float32]


@dataclass(frozen=True)
class Bench:
    """Everything trials share.

    Attributes:
        training: pictures with part masks, exemplars are drawn from.
        views: test pictures.
        affordances: object class to the actions it appears under anywhere in the data.
        cache: of features.
        generic: background.
        preprocess: of the model.
        regions: of the model; says what is found.
        protocol: of the scores.
    """

    training: tuple[TrainingImage, ...]
    views: tuple[View, ...]
    affordances: Mapping[str, Collection[str]]
    cache: FeatureCache
    generic: Prototypes | None
    preprocess: Preprocess
    regions: RegionConfig
    protocol: EvaluationProtocol

    @property
    def key(self) -> str:
        """Name of everything of the model that shapes a trial."""
        return _key(self.cache.key, self.preprocess.config, self.regions)


def test_views(dataset: EvaluationSet, cache: FeatureCache, preprocess: Preprocess) -> list[View]:
    """Read the test pictures that have a ground truth."""
    views = []
    for item in dataset.annotated:
        if item.ground_truth is None:
            continue
        truth = read_grey(item.ground_truth)
        views.append(
            View(
                cache.digest(item.image),
                item.action,
                item.object_name,
                cache.features(item.image),
                preprocess.geometry(*truth.shape),
                truth,
            )
        )
    return views


def topics(training: TrainingSet, per_object: bool) -> list[Topic]:
    """What can be taught from a training set.

    Raises:
        DatasetError: it has no part masks.
    """
    marked = {(one.action, one.object_name) for one in training.egocentric if one.part_mask}
    if not marked:
        raise DatasetError(
            f"training set {str(training.folder)!r} has no part masks; expected "
            "PL/ACTION/OBJECT/NAME_pl.png beside egocentric"
        )
    if per_object:
        return [Topic(action, name) for action, name in sorted(marked)]
    return [Topic(action, None) for action in sorted({action for action, _ in marked})]


def draw_exemplars(topic: Topic, shots: int, seed: int, bench: Bench) -> list[Exemplar]:
    """Draw training pictures, the objects of an action in turn, and mark them by their masks.

    Raises:
        TooFewExamplesError: there are too few pictures.
    """
    of_topic = zlib.crc32(f"{topic.action}/{topic.object_name}".encode())
    random = np.random.default_rng([seed, of_topic])
    by_object: dict[str, list[TrainingImage]] = {}
    for item in bench.training:
        wanted = topic.object_name in (None, item.object_name)
        if item.action == topic.action and item.part_mask and wanted:
            by_object.setdefault(item.object_name, []).append(item)
    queues = [list(random.permutation(np.array(ones, object))) for ones in by_object.values()]
    random.shuffle(queues)
    exemplars: list[Exemplar] = []
    while len(exemplars) < shots:
        queues = [queue for queue in queues if queue]
        if not queues:
            raise TooFewExamplesError(
                f"{topic} has {len(exemplars)} marked pictures, {shots} are needed"
            )
        for queue in queues:
            if len(exemplars) < shots and queue:
                exemplars += _exemplar(queue.pop(), bench.cache)
    return exemplars


def run_trial(topic: Topic, shots: int, seed: int, bench: Bench) -> dict[str, Any]:
    """Teach and test.

    Args:
        topic: what is taught.
        shots: number of exemplars.
        seed: of their choice; fewer shots take the first of the same.
        bench: what trials share.

    Returns:
        Plain values: for every right picture its scores, and whether the part was found and the
        peak lies on it; how many pictures of objects without the action there are, and in how
        many it was found.
    """
    exemplars = draw_exemplars(topic, shots, seed, bench)
    scorer = TaughtScorer(exemplars, bench.generic, bench.regions.threshold)
    right: list[dict[str, Any]] = []
    wrong: dict[str, bool] = {}
    for view in bench.views:
        asked = view.action == topic.action and topic.object_name in (None, view.object_name)
        absent = topic.action not in bench.affordances[view.object_name]
        if not asked and (not absent or view.digest in wrong):
            continue
        heatmap = bench.preprocess.heat_to_image(scorer.heat(view.features), view.geometry)
        found = bool(extract_regions(heatmap, bench.regions)[0])
        if not asked:
            wrong[view.digest] = found
            continue
        score = bench.protocol.score(
            bench.protocol.prepare_prediction(heatmap),
            bench.protocol.prepare_ground_truth(view.ground_truth),
        )
        on_part = peak_on_part(heatmap, view.ground_truth)
        right.append({**vars(score), "found": found, "peak_on_part": on_part})
    return {
        "action": topic.action,
        "object": topic.object_name,
        "shots": shots,
        "seed": seed,
        "right": right,
        "wrong": len(wrong),
        "wrong_found": sum(wrong.values()),
    }


def _exemplar(item: TrainingImage, cache: FeatureCache) -> list[Exemplar]:
    """One exemplar, or none where the part is too small to be marked."""
    mask_file = Path(str(item.part_mask))
    covered, inside, _ = cache.coverage(read_grey(mask_file) >= 0.5)
    try:
        return [
            make_exemplar(
                cache.features(item.image),
                covered,
                inside,
                source=item.image.name,
                mark=f"mask {mask_file.name}",
            )
        ]
    except TeachingError:
        return []


def _key(*what: object) -> str:
    return hashlib.sha256(" ".join(map(repr, what)).encode()).hexdigest()[:16]


def _npy(values: NDArray[np.float16]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=False)
    return stream.getvalue()
