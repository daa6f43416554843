"""Batches of cached features and labels for training the action head."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from lightning import LightningDataModule
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.loading import load_backbone_tensors
from affordance_grounding_core.backbones.weights import tensor_fingerprint
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.files import cache_directory
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.methods.action_head.config import SceneCounts, ViewConfig
from affordance_grounding_core.methods.action_head.features import (
    FeatureConfig,
    Precision,
    SceneFiles,
    cache_features,
)
from affordance_grounding_core.methods.action_head.network import MASK_CELLS
from affordance_grounding_core.methods.action_head.samples import (
    Sample,
    SamplePicture,
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

Batch = dict[str, torch.Tensor]


class FeatureDataset(Dataset[Batch]):
    """Scenes: features, labels, part masks, which actions are present and which absent.

    Args:
        scenes: what is looked at.
        files: what is cached of them.
        pictures: sizes and labels of their samples.
        config: what shaped the features.
        actions: vocabulary.
        with_masks: whether batches hold pixels and part masks.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        files: Sequence[SceneFiles],
        pictures: Mapping[Sample, SamplePicture],
        config: FeatureConfig,
        actions: Sequence[str],
        with_masks: bool = False,
    ) -> None:
        self._files = list(files)
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
        """Say nothing of where an action is absent that fewer scenes than this show."""
        self._absent[:, self._present.sum(dim=0) < fewer_than] = False

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Batch:
        item = {
            "tokens": torch.from_numpy(np.load(self._files[index].tokens)),
            "labels": self._labels[index],
            "present": self._present[index],
            "absent": self._absent[index],
        }
        if self._masks is None:
            return item
        pixels, _ = self._preprocess(np.load(self._files[index].picture))
        masks = np.full((self._labels.shape[1], self._side, self._side), MASK_UNKNOWN, np.uint8)
        masks[self._absent[index].numpy()] = 0
        for channel, mask in self._masks[index].items():
            masks[channel] = mask
        return item | {"pixels": torch.from_numpy(pixels), "masks": torch.from_numpy(masks)}


class ActionHeadData(LightningDataModule):
    """Training and validation batches from a folder in AGD20K layout.

    About one sample in `validation_every` is held out by its name, so that the same
    pictures are held out whatever else the run changes.

    Args:
        root: folder above `trainset`.
        photographs: a second folder of the same kind; None for none.
        photograph_list: text file with the names of the pictures to use of that folder, one a
            line; all where None.
        actions: vocabulary, in the order of the head's channels.
        backbone: name of the frozen backbone.
        blocks: backbone blocks whose tokens are read.
        preprocess: input size and normalisation.
        views: random views of the training pictures.
        batch_size: views in a batch.
        excluded_objects: object classes to leave out.
        validation_every: share held out, as one in so many.
        seed: of the random views.
        backbone_weights: local file of the backbone; the pinned weights where None.
        labels: "masks" for part masks, "image_level" for what exocentric pictures teach, with
            no mask at all.
        weak: how they teach it.
        photograph_scenes: how many scenes are made of a picture of `photographs`; as many as
            `views` says where None.
        precision: in which the backbone runs for the features.
        with_masks: whether batches hold pixels and part masks.
        workers: processes that read batches; 0 for none beside the run itself.
        scarce: an action that fewer training scenes than this show is never called absent: what
            the initial head knows of it is rehearsed instead of forgotten.
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
        validation_every: int = 10,
        seed: int = 0,
        backbone_weights: str | None = None,
        labels: Literal["masks", "image_level"] = "masks",
        weak: WeakLabelConfig = WeakLabelConfig(),  # noqa: B008  frozen
        photographs: str | None = None,
        photograph_list: str | None = None,
        photograph_scenes: SceneCounts | None = None,
        precision: Precision = "float32",
        with_masks: bool = False,
        workers: int = 0,
        scarce: int = 0,
    ) -> None:
        super().__init__()
        self.root = root
        self.workers = workers
        self.scarce = scarce
        self.photographs = photographs
        self.photograph_list = photograph_list
        self.photograph_scenes = photograph_scenes
        self.precision: Precision = precision
        self.with_masks = with_masks and labels == "masks"
        self.actions = list(actions)
        self.backbone = backbone
        self.blocks = tuple(blocks)
        self.preprocess = preprocess
        self.views = views
        self.batch_size = batch_size
        self.excluded_objects = list(excluded_objects or [])
        self.validation_every = validation_every
        self.seed = seed
        self.backbone_weights = Path(backbone_weights) if backbone_weights else None
        self.labels = labels
        self.weak = weak
        self.backbone_fingerprint = ""
        self._training: FeatureDataset | None = None
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
        classes = {sample.object_name for sample in samples}
        if unknown := sorted(set(self.excluded_objects) - classes):
            raise DatasetError(
                f"object classes {unknown} are not in {self.root}; expected some of "
                f"{sorted(classes)}"
            )
        config, backbone = self._prepare_backbone()
        used = [sample for sample in samples if not self._excluded(sample)]
        held_out = {sample for sample in used if self._held_out(sample)}
        size = self.preprocess.size
        pictures = {}
        if self.labels == "masks":
            pictures = {sample: SamplePicture.of(sample) for sample in samples}
        counts = {}
        if self.photographs and self.photograph_scenes:
            folder = Path(self.photographs)
            photographs = [sample for sample in samples if sample.path.is_relative_to(folder)]
            counts = dict.fromkeys(photographs, self.photograph_scenes)
        planned = plan_scenes(samples, size, self.views, self.seed, pictures, counts)
        training = [
            scene
            for scene in planned
            if all(
                not self._excluded(tile.sample) and tile.sample not in held_out
                for tile in scene.tiles
            )
        ]
        validation = [
            scene for scene in planned if scene.plain and scene.tiles[0].sample in held_out
        ]
        folder = cache_directory() / "features"
        if self.labels == "image_level":
            plain = [s for s in planned if s.plain and not self._excluded(s.tiles[0].sample)]
            pictures = weakly_labelled(
                self.root, plain, self.actions, config, backbone, folder, self.weak
            )
        self._training, self._validation = (
            FeatureDataset(
                scenes,
                cache_features(scenes, config, backbone, folder),
                pictures,
                config,
                self.actions,
                self.with_masks,
            )
            for scenes in (training, validation)
        )
        self._training.forget_absence(self.scarce)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled views; an incomplete last batch is left out."""
        return self._loader(self._training, shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Plain views of the held-out pictures."""
        return self._loader(self._validation, shuffle=False)

    def _prepare_backbone(self) -> tuple[FeatureConfig, Dinov2]:
        tensors = load_backbone_tensors(self.backbone, self.backbone_weights)
        self.backbone_fingerprint = tensor_fingerprint(tensors)
        backbone = Dinov2(self.backbone)
        backbone.load_tensors(tensors)
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
        )
        return config, backbone

    def _samples(self) -> list[Sample]:
        roots = [self.root, *([self.photographs] if self.photographs else [])]
        listed = None
        if self.photograph_list is not None:
            listed = Path(self.photograph_list).expanduser().read_text(encoding="utf-8").split()
        return read_samples(roots, self.actions, self.labels == "masks", listed)

    def _excluded(self, sample: Sample) -> bool:
        return sample.object_name in self.excluded_objects

    def _held_out(self, sample: Sample) -> bool:
        identity = f"validation/{sample.object_name}/{sample.path.stem}".encode()
        return zlib.crc32(identity) % self.validation_every == 0

    def _loader(self, dataset: FeatureDataset | None, shuffle: bool) -> DataLoader[Batch]:
        if dataset is None:
            raise RuntimeError("setup() must run before a dataloader is asked for")
        drop_last = shuffle and len(dataset) > self.batch_size
        return DataLoader(
            dataset,
            self.batch_size,
            shuffle=shuffle,
            drop_last=drop_last,
            num_workers=self.workers if shuffle else 0,
            persistent_workers=bool(self.workers and shuffle),
        )
