"""Data module of WSAG-PLSP: batches of pixels, or of a frozen encoder's cached tokens."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affordance_grounding_core.data.agd20k import (
    TrainingSet,
    read_training_set,
)
from affordance_grounding_core.data.image_check import find_unusable
from affordance_grounding_core.data.part_masks import mask_problems
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.files import cache_directory
from affordance_grounding_core.methods.plsp.dataset import (
    InputFormat,
    PartImages,
    TokenCache,
    WholeImages,
)
from affordance_grounding_core.methods.plsp.encoders import Dinov2Tokens, ImageEncoder
from affordance_grounding_core.methods.plsp.samples import (
    PartSample,
    People,
    PlspViewConfig,
    irrelevant_images,
    ranked_people,
    read_part_samples,
)
from affordance_grounding_core.training.heat_fitting import CalibrationSet
from affordance_grounding_core.training.scored_data import ScoredData
from affordance_grounding_core.training.scored_images import (
    LabelledImage,
    evenly,
    readable_labels,
    scored_images,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Listing:
    """What a run looks at."""

    training: PartImages
    scored: WholeImages
    calibration: CalibrationSet


class PlspData(ScoredData):
    """Part labels to train on, images to score epochs on, and images to calibrate heat on.

    Args:
        root: folder in AGD20K layout.
        actions: vocabulary.
        labels: folder with part masks and a manifest, as `affordance-grounding label` writes
            it; the training set's own folder where None.
        views: views of the training images; the crop is the network's input.
        batch_size: samples in a batch of one device.
        options: the other options of `ScoredData`; with an `exocentric_count` of 0 no people
            stand beside the samples, and only a frozen encoder's features can be cached.

    Attributes:
        encoder: encoder whose input the batches are; set before `setup`.
        input_format: format of that encoder's input; set before `setup`.

    Raises:
        ValueError: a number that is too small.
    """

    def __init__(
        self,
        root: str,
        actions: list[str],
        labels: str | None = None,
        views: PlspViewConfig = PlspViewConfig(),  # noqa: B008  frozen
        batch_size: int = 10,
        **options: Any,
    ) -> None:
        super().__init__(root, actions, batch_size=batch_size, **options)
        if self.exocentric_count < 0:
            raise ValueError(
                f"data.exocentric_count must not be negative, got {self.exocentric_count}"
            )
        self.labels = Path(labels).expanduser() if labels else None
        self.views = views
        self.encoder: ImageEncoder | None = None
        self.input_format: InputFormat | None = None
        self._listing: _Listing | None = None

    @property
    def training(self) -> PartImages:
        """The training samples."""
        return self._listed.training

    @property
    def calibration(self) -> CalibrationSet:
        """Training images that heat is fitted on."""
        return self._listed.calibration

    def setup(self, stage: str) -> None:
        """List the data, leave out what cannot be used, and fill the cache if there is one.

        Raises:
            DatasetError: the data does not have the documented layout, or lacks part masks or
                exocentric images.
        """
        if self._listing is not None:
            return
        if self.input_format is None or self.encoder is None:
            raise RuntimeError("set `encoder` and `input_format` before `setup`")
        listed = read_training_set(self.root, self.split)
        scored, problems = readable_labels(
            scored_images(
                self.selection, self.root, self.split, listed, self.actions, self.validation_every
            )
        )
        unusable = self._unusable(listed, scored)
        training = self._training(listed, unusable)
        plain = [(sample.image, sample.object_name) for sample in training.samples]
        self._listing = _Listing(
            training,
            WholeImages([item for item in scored if item.image not in unusable], training),
            CalibrationSet.of_training(listed, evenly(plain, self.calibration_images)),
        )
        samples = f"{len(training)} part labels"
        self.report(listed, samples, [*problems, *unusable.values()])
        if training.cache is not None:
            scored_views = self._listing.scored.wanted()
            training.cache.fill([*training.wanted(), *scored_views])

    def training_set(self) -> PartImages:
        """The training samples."""
        return self.training

    def scored_set(self) -> WholeImages:
        """What epochs are scored on; empty for the selection "none"."""
        return self._listed.scored

    @property
    def _listed(self) -> _Listing:
        if self._listing is None:
            raise RuntimeError("setup() must run before the data is asked for")
        return self._listing

    def _unusable(self, listed: TrainingSet, scored: tuple[LabelledImage, ...]) -> dict[Path, str]:
        files = {item.image for item in listed.egocentric if item.action in self.actions}
        files |= {item.image for item in listed.exocentric if item.action in self.actions}
        # Every test image counts, and a cache is filled without a replacement at hand.
        whole = {item.image for item in scored}
        found = find_unusable(sorted(files), decode=self.cache_features)
        return {**found, **find_unusable(sorted(whole - files), decode=True)}

    def _training(self, listed: TrainingSet, unusable: dict[Path, str]) -> PartImages:
        excluded = set(unusable) | self.held_out(listed)
        samples = read_part_samples(listed, self.actions, self.labels, excluded)
        unusable |= mask_problems((sample.mask, sample.image) for sample in samples)
        people = People(listed, ranked_people(self.labels, listed), excluded)
        usable = [sample for sample in samples if sample.mask not in unusable]
        kept = self._accompanied(usable, people, listed)
        if self.input_format is None:
            raise RuntimeError("set `input_format` before `setup`")
        shown = [
            item
            for item in listed.egocentric
            if item.action in self.actions and item.image not in excluded
        ]
        return PartImages(
            kept,
            people,
            self.actions,
            self.views,
            self.input_format,
            self.exocentric_count,
            irrelevant_images(shown),
            self.seed,
            self._cache() if self.cache_features else None,
            self.cached_views,
        )

    def _accompanied(
        self, samples: list[PartSample], people: People, listed: TrainingSet
    ) -> list[PartSample]:
        """Leave out samples with nobody to stand beside them."""
        if not self.exocentric_count:
            return samples
        kept = [sample for sample in samples if people.beside(sample)]
        if not kept:
            raise DatasetError(
                f"training set {str(listed.folder)!r} has no exocentric image of the classes that "
                "have part masks; expected exocentric/ACTION/OBJECT/*.jpg. Train without them by "
                "data.exocentric_count=0"
            )
        alone = {(s.action, s.object_name) for s in samples} - {
            (s.action, s.object_name) for s in kept
        }
        for action, name in sorted(alone):
            logger.warning("Left out: %s/%s has no exocentric image", action, name)
        return kept

    def _cache(self) -> TokenCache:
        if self.encoder is None or self.input_format is None:
            raise RuntimeError("the cache needs the encoder: set it before `setup`")
        if not isinstance(self.encoder, Dinov2Tokens):
            raise ValueError(
                "data.cache_features keeps the tokens of an encoder that is not trained, this one "
                "is; set cache_features to false"
            )
        return TokenCache(cache_directory(), self.encoder, self.input_format)
