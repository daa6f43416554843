"""Data module of WSAG-PLSP: batches of pixels, or of a frozen encoder's cached tokens."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from affordance_grounding_core.backbones.weights import tensor_fingerprint
from affordance_grounding_core.data.agd20k import (
    TrainingSet,
    affordances_of_objects,
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
from affordance_grounding_core.methods.plsp.samples import (
    PartSample,
    People,
    PlspViewConfig,
    irrelevant_images,
    ranked_people,
    read_part_samples,
)
from affordance_grounding_core.training.run_data import RunData
from affordance_grounding_core.training.scored_images import (
    LabelledImage,
    Selection,
    evenly,
    is_held_out,
    readable_labels,
    scored_images,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Listing:
    """What a run looks at."""

    training: PartImages
    scored: WholeImages
    calibration: WholeImages
    affordances: dict[str, frozenset[str]]


class PlspData(RunData):
    """Part labels to train on, images to score epochs on, and images to calibrate heat on.

    Args:
        root: folder in AGD20K layout.
        actions: vocabulary.
        split: "seen", "unseen" or "hico-iif"; None where the folder says enough.
        labels: folder with part masks and a manifest, as `affordance-grounding label` writes
            it; the training set's own folder where None.
        views: views of the training images; the crop is the network's input.
        batch_size: samples in a batch of one device.
        exocentric_count: images of people beside each; 0 trains without.
        selection: what the best epoch is chosen by: "test" as in the paper, "validation" by
            held-out training images, or "none" for the last epoch alone.
        validation_every: share held out, as one in so many.
        calibration_images: training images on which heat is calibrated, at most.
        cache_features: whether the tokens of a frozen encoder are computed once and kept on
            disk.
        cached_views: views of a training image in the cache.
        workers: processes that load images; 0 loads in the training process.
        seed: seed of everything random.

    Attributes:
        encoder: encoder whose input the batches are; set before `setup`.
        input_format: format of that encoder's input; set before `setup`.
    """

    def __init__(
        self,
        root: str,
        actions: list[str],
        split: str | None = None,
        labels: str | None = None,
        views: PlspViewConfig = PlspViewConfig(),  # noqa: B008  frozen
        batch_size: int = 10,
        exocentric_count: int = 1,
        selection: Selection = "test",
        validation_every: int = 10,
        calibration_images: int = 256,
        cache_features: bool = False,
        cached_views: int = 4,
        workers: int = 4,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if cached_views < 1:
            raise ValueError(f"cached_views must be at least 1, got {cached_views}")
        if exocentric_count < 0:
            raise ValueError(f"exocentric_count must not be negative, got {exocentric_count}")
        self.root = root
        self.actions = list(actions)
        self.split = split
        self.labels = Path(labels).expanduser() if labels else None
        self.views = views
        self.batch_size = batch_size
        self.exocentric_count = exocentric_count
        self.selection: Selection = selection
        self.validation_every = validation_every
        self.calibration_images = calibration_images
        self.cache_features = cache_features
        self.cached_views = cached_views
        self.workers = workers
        self.seed = seed
        self.encoder: torch.nn.Module | None = None
        self.input_format: InputFormat | None = None
        self._listing: _Listing | None = None

    @property
    def training(self) -> PartImages:
        """The training samples."""
        return self._listed.training

    @property
    def affordances(self) -> dict[str, frozenset[str]]:
        """Object class to the actions it appears under in the training set."""
        return self._listed.affordances

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
        plain = [
            LabelledImage(sample.image, sample.action, sample.object_name)
            for sample in training.samples
        ]
        self._listing = _Listing(
            training,
            WholeImages([item for item in scored if item.image not in unusable], training),
            WholeImages(_whole_ones(evenly(plain, self.calibration_images)), training),
            affordances_of_objects([*listed.egocentric, *listed.exocentric]),
        )
        samples = f"{len(training)} part labels"
        self.report(listed, samples, [*problems, *unusable.values()])
        if training.cache is not None:
            wanted = (self._listing.training, self._listing.scored, self._listing.calibration)
            training.cache.fill([view for one in wanted for view in one.wanted()])

    def training_set(self) -> PartImages:
        """The training samples."""
        return self.training

    def scored_set(self) -> WholeImages:
        """What epochs are scored on; empty for the selection "none"."""
        return self._listed.scored

    def calibration_set(self) -> WholeImages:
        """Whole training images, to see how hot right and wrong actions get."""
        return self._listed.calibration

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
        held_out = {
            item.image
            for item in listed.egocentric
            if self.selection == "validation" and is_held_out(item, self.validation_every)
        }
        excluded = set(unusable) | held_out
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
        if any(parameter.requires_grad for parameter in self.encoder.parameters()):
            raise ValueError(
                "data.cache_features keeps the tokens of an encoder that is not trained, this one "
                "is; set cache_features to false"
            )
        identity = {
            "encoder": tensor_fingerprint(self.encoder.state_dict()),
            "precision": str(getattr(self.encoder, "precision", "")),
            "input": asdict(self.input_format),
        }
        return TokenCache(cache_directory(), self.encoder, self.input_format.size, identity)


def _whole_ones(images: tuple[LabelledImage, ...]) -> list[LabelledImage]:
    """Leave out images that can be opened, but not read to their end."""
    damaged = find_unusable([item.image for item in images], decode=True)
    return [item for item in images if item.image not in damaged]
