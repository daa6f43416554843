"""Data module of the action head: batches of cached features and labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Sampler

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.loading import load_dinov2
from affordance_grounding_core.backbones.weights import tensor_fingerprint
from affordance_grounding_core.data.agd20k import read_names
from affordance_grounding_core.data.splits import is_held_out
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.methods.action_head.config import SceneCounts, ViewConfig
from affordance_grounding_core.methods.action_head.features import (
    FeatureConfig,
    Precision,
    SceneFeatures,
    features_folder,
)
from affordance_grounding_core.methods.action_head.network import MASK_CELLS
from affordance_grounding_core.methods.action_head.samples import (
    Sample,
    SamplePicture,
    read_pictures,
    read_samples,
)
from affordance_grounding_core.methods.action_head.scenes import (
    MASK_UNKNOWN,
    Scene,
    plan_scenes,
    soft_labels,
)
from affordance_grounding_core.methods.action_head.weak.config import WeakLabelConfig
from affordance_grounding_core.methods.action_head.weak.source import weakly_labelled
from affordance_grounding_core.training.run_data import RunData

Batch = dict[str, torch.Tensor]

Prepared = TypeVar("Prepared")


class FeatureDataset(Dataset[Batch]):
    """Scenes: features, labels, part masks, which actions are present and which absent.

    Args:
        scenes: scenes that are looked at.
        features: their features.
        pictures: sizes and labels of their samples.
        config: options that shaped the features.
        actions: vocabulary.
        with_masks: whether batches hold pixels and part masks.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        features: SceneFeatures,
        pictures: Mapping[Sample, SamplePicture],
        config: FeatureConfig,
        actions: Sequence[str],
        with_masks: bool = False,
    ) -> None:
        self._features = features
        self._actions = list(actions)
        self._files = [scene.tiles[0].sample.path for scene in scenes]
        self._preprocess = Preprocess(config.preprocess)
        cells = config.preprocess.size // config.preprocess.multiple
        self._side = cells * MASK_CELLS
        self._labels = torch.zeros(len(scenes), len(actions), cells, cells)
        self._present = torch.zeros(len(scenes), len(actions), dtype=torch.bool)
        self._absent = torch.zeros_like(self._present)
        self._masks: list[dict[int, NDArray[np.uint8]]] | None = [] if with_masks else None
        for row, scene in enumerate(scenes):
            coverage = scene.coverage(pictures, config.views)
            exact = all(pictures[tile.sample].exact for tile in scene.tiles)
            for action, label in soft_labels(coverage, exact, cells).items():
                self._labels[row, actions.index(action)] = torch.from_numpy(label)
                self._present[row, actions.index(action)] = True
            for action in scene.absent(actions):
                self._absent[row, actions.index(action)] = True
            if self._masks is not None:
                masks = scene.masks(coverage, pictures, self._side)
                self._masks.append({actions.index(name): mask for name, mask in masks.items()})

    def forget_absence(self, fewer_than: int) -> None:
        """Leave open where an action is absent if fewer scenes than this show it."""
        self._absent[:, self._present.sum(dim=0) < fewer_than] = False

    def caption(self, index: int) -> tuple[Path, str]:
        """File of the first picture of a scene, and the first of the actions present."""
        return self._files[index], self._actions[int(first_present(self._present[index]))]

    def __len__(self) -> int:
        return len(self._features)

    def __getitem__(self, index: int) -> Batch:
        item = {
            "index": torch.tensor(index),
            "tokens": torch.from_numpy(self._features.tokens(index)),
            "labels": self._labels[index],
            "present": self._present[index],
            "absent": self._absent[index],
        }
        if self._masks is None:
            return item
        pixels, _ = self._preprocess(self._features.picture(index))
        masks = np.full((self._labels.shape[1], self._side, self._side), MASK_UNKNOWN, np.uint8)
        masks[self._absent[index].numpy()] = 0
        for channel, mask in self._masks[index].items():
            masks[channel] = mask
        return item | {"pixels": torch.from_numpy(pixels), "masks": torch.from_numpy(masks)}


def first_present(present: torch.Tensor) -> torch.Tensor:
    """Number of the first action that is present, (...) int64 of (..., A) bool; 0 where none is."""
    return present.int().argmax(dim=-1)


class RepeatableShuffle(Sampler[int]):
    """Shuffles by PyTorch's global random numbers, whatever the number of workers.

    Args:
        count: number of scenes.
        batch_size: scenes in a batch.
        sizes: in how many sizes the scenes are there, those of a size behind those of the size
            before; each batch is of one of them, drawn at random.
    """

    def __init__(self, count: int, batch_size: int = 1, sizes: int = 1) -> None:
        self._count, self._batch_size, self._sizes = count, batch_size, sizes

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        # Two numbers, as a DataLoader without workers draws them: the first is for workers.
        _, seed = (int(torch.empty((), dtype=torch.int64).random_()) for _ in range(2))
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(self._count, generator=generator)
        batch = torch.arange(self._count) // self._batch_size
        sizes = torch.randint(self._sizes, (self._count,), generator=generator)[batch]
        yield from (order + sizes * self._count).tolist()


class ActionHeadData(RunData):
    """Training and validation batches from a folder in AGD20K layout.

    About one sample in `validation_every` is held out by its name, so that the same
    pictures are held out whatever else the run changes.

    Args:
        root: folder above `trainset`.
        actions: vocabulary, in the order of the head's channels.
        backbone: name of the frozen backbone, one of DINOv2's.
        blocks: backbone blocks whose tokens are read.
        preprocess: input size and normalisation.
        views: random views of the training pictures.
        batch_size: views in a batch.
        excluded_objects: object classes to leave out.
        backbone_weights: local file of the backbone; the pinned weights where None.
        labels: "masks" for part masks, "image_level" for what exocentric pictures teach, with
            no mask at all.
        weak: options of the labels that exocentric pictures teach.
        photographs: a second folder of the same kind; None for none.
        photograph_list: text file with the names of the pictures to use of that folder, one a
            line; all where None.
        photograph_scenes: how many scenes are made of a picture of `photographs`; as many as
            `views` says where None.
        precision: precision in which the backbone runs for the features.
        with_masks: whether batches hold pixels and part masks.
        workers: processes that read batches; 0 for none beside the run itself.
        before: the block of the backbone whose input is kept in place of features, where its blocks
            from there on are trained too; None for features.
        scarce: an action that fewer training scenes than this show is never called absent: what
            the initial head knows of it is rehearsed instead of forgotten.
        further_sizes: other sides in px at which scenes are seen in training, multiples of the
            patch, so that the model answers at these input sizes too; each batch is of one size.
        trial: whether a batch of scenes to train on and one of held-out pictures are all.
        options: the other options of `RunData`.

    Raises:
        ValueError: `before` or `further_sizes` with image-level labels, or a size that is not whole
            patches.

    Attributes:
        backbone_fingerprint: hash of the backbone's weights, after `setup`.
    """

    def __init__(
        self,
        root: str,
        actions: list[str],
        backbone: str = "dinov2_vits14",
        blocks: list[int] = [6, 9, 11],  # noqa: B006  the command line shows the default
        preprocess: PreprocessConfig = PreprocessConfig(),  # noqa: B008  frozen
        views: ViewConfig = ViewConfig(),  # noqa: B008  frozen
        batch_size: int = 32,
        excluded_objects: list[str] | None = None,
        backbone_weights: str | None = None,
        labels: Literal["masks", "image_level"] = "masks",
        weak: WeakLabelConfig = WeakLabelConfig(),  # noqa: B008  frozen
        photographs: str | None = None,
        photograph_list: str | None = None,
        photograph_scenes: SceneCounts | None = None,
        precision: Precision = "float32",
        with_masks: bool = False,
        workers: int = 0,
        before: int | None = None,
        scarce: int = 0,
        further_sizes: list[int] | None = None,
        trial: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(root, actions, batch_size=batch_size, workers=workers, **options)
        if before is not None and labels == "image_level":
            raise ValueError(
                "image-level labels are made of the features of the backbone as it is, so it "
                "cannot be trained with them; set model.adapter_rank to 0, or data.labels to masks"
            )
        for size in further_sizes or []:
            if size < preprocess.multiple or size % preprocess.multiple or labels == "image_level":
                raise ValueError(
                    f"data.further_sizes must be multiples of {preprocess.multiple} px, with "
                    f"labels from masks, got {size} px and labels from {labels}"
                )
        self.sizes = (preprocess.size, *(further_sizes or []))
        self.before = before
        self.scarce = scarce
        self.trial = trial
        self.photographs = photographs
        self.photograph_list = photograph_list
        self.photograph_scenes = photograph_scenes
        self.precision: Precision = precision
        self.with_masks = with_masks and labels == "masks"
        self.backbone = backbone
        self.blocks = tuple(blocks)
        self.preprocess = preprocess
        self.views = views
        self.excluded_objects = list(excluded_objects or [])
        self.backbone_weights = Path(backbone_weights).expanduser() if backbone_weights else None
        self.labels = labels
        self.weak = weak
        self.backbone_fingerprint = ""
        self._training: list[FeatureDataset] | None = None
        self._validation: FeatureDataset | None = None

    def setup(self, stage: str) -> None:
        """Compute or find the features of all samples.

        Raises:
            DatasetError: the data does not have the documented layout.
            WeightsError: the backbone cannot be fetched or verified.
        """
        if self._training is not None:
            return
        samples = self._samples()
        config, backbone = self._prepare_backbone()
        pictures: Mapping[Sample, SamplePicture] = {}
        if self.labels == "masks":
            pictures = read_pictures(samples)
        training = []
        for size in self.sizes:
            planned = self._plan(samples, pictures, size)
            seen, held_out = self._share_out(planned)
            sized = replace(config, preprocess=replace(self.preprocess, size=size))
            if self.labels == "image_level":
                plain = [s for s in planned if s.plain and not self._excluded(s.tiles[0].sample)]
                pictures = weakly_labelled(
                    self.root, plain, self.actions, sized, backbone, features_folder(), self.weak
                )
            training.append(self._look(seen, sized, backbone, pictures))
            training[-1].forget_absence(self.scarce)
            if self._validation is None:
                self._validation = self._look(held_out, sized, backbone, pictures)
        self._training = training

    def _look(
        self,
        scenes: Sequence[Scene],
        config: FeatureConfig,
        backbone: Dinov2,
        pictures: Mapping[Sample, SamplePicture],
    ) -> FeatureDataset:
        features = SceneFeatures(scenes, config, backbone, features_folder())
        return FeatureDataset(scenes, features, pictures, config, self.actions, self.with_masks)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled views; an incomplete last batch is left out."""
        sizes = _after_setup(self._training)
        count = len(sizes[0])
        return DataLoader(
            ConcatDataset(sizes),
            self.batch_size,
            sampler=RepeatableShuffle(count, self.batch_size, len(sizes)),
            drop_last=count > self.batch_size,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            generator=torch.Generator(),  # the workers' own numbers are not drawn from the run's
        )

    def val_dataloader(self) -> DataLoader[Batch]:
        """Plain views of the held-out pictures."""
        return DataLoader(_after_setup(self._validation), self.batch_size)

    def scored_caption(self, index: int) -> tuple[Path, str]:
        """File and action of a held-out picture; see `OverlayPictures`."""
        return _after_setup(self._validation).caption(index)

    def frozen_backbone(self) -> Dinov2:
        """Build the backbone with its weights, in float32 on the processor."""
        return load_dinov2(self.backbone, self.backbone_weights)

    def _prepare_backbone(self) -> tuple[FeatureConfig, Dinov2]:
        backbone = self.frozen_backbone()
        self.backbone_fingerprint = tensor_fingerprint(backbone.transformer.state_dict())
        backbone.to(
            "cuda" if torch.cuda.is_available() else "cpu",
            torch.bfloat16 if self.precision == "bfloat16" else torch.float32,
        )
        config = FeatureConfig(
            self.backbone,
            self.backbone_fingerprint,
            self.blocks,
            self.preprocess,
            self.views,
            self.precision,
            self.before,
        )
        return config, backbone

    def _samples(self) -> list[Sample]:
        """List all pictures, those of excluded classes too.

        Raises:
            DatasetError: an excluded class is not there, or the layout is another.
        """
        roots = [self.root, *([self.photographs] if self.photographs else [])]
        listed = None
        if self.photograph_list is not None:
            listed = read_names(Path(self.photograph_list))
        samples = read_samples(roots, self.actions, self.labels == "masks", listed)
        classes = {sample.object_name for sample in samples}
        if unknown := sorted(set(self.excluded_objects) - classes):
            raise DatasetError(
                f"object classes {unknown} are not in {self.root}; expected some of "
                f"{sorted(classes)}"
            )
        return samples

    def _plan(
        self, samples: Sequence[Sample], pictures: Mapping[Sample, SamplePicture], size: int
    ) -> list[Scene]:
        """Plan the scenes of all samples, so that they do not depend on what is left out."""
        counts = {}
        if self.photographs and self.photograph_scenes:
            folder = Path(self.photographs)
            photographs = [sample for sample in samples if sample.path.is_relative_to(folder)]
            counts = dict.fromkeys(photographs, self.photograph_scenes)
        return plan_scenes(samples, size, self.views, self.seed, pictures, counts)

    def _share_out(self, planned: Sequence[Scene]) -> tuple[list[Scene], list[Scene]]:
        """Part scenes to train on from plain views of held-out pictures."""
        training = [
            scene
            for scene in planned
            if not any(
                self._excluded(tile.sample) or self._held_out(tile.sample) for tile in scene.tiles
            )
        ]
        validation = [
            scene
            for scene in planned
            if scene.plain
            and self._held_out(scene.tiles[0].sample)
            and not self._excluded(scene.tiles[0].sample)
        ]
        most = self.batch_size if self.trial else None
        return training[:most], validation[:most]

    def _excluded(self, sample: Sample) -> bool:
        return sample.object_name in self.excluded_objects

    def _held_out(self, sample: Sample) -> bool:
        return is_held_out(sample.object_name, sample.path, self.validation_every)


def _after_setup(prepared: Prepared | None) -> Prepared:
    if prepared is None:
        raise RuntimeError("setup() must run before a dataloader is asked for")
    return prepared
