"""Batches of cached features and labels for training the action head."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.loading import load_backbone_tensors
from affordance_grounding_core.backbones.weights import tensor_fingerprint
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.files import cache_directory
from affordance_grounding_core.inference.preprocess import PreprocessConfig
from affordance_grounding_core.methods.action_head.config import ViewConfig
from affordance_grounding_core.methods.action_head.features import FeatureConfig, cache_features
from affordance_grounding_core.methods.action_head.samples import Sample, read_samples
from affordance_grounding_core.methods.action_head.scenes import (
    SamplePicture,
    Scene,
    plan_scenes,
)
from affordance_grounding_core.methods.action_head.weak.config import WeakLabelConfig
from affordance_grounding_core.methods.action_head.weak.source import weakly_labelled

Batch = dict[str, torch.Tensor]


class FeatureDataset(Dataset[Batch]):
    """Scenes: features, labels, which actions are present and which absent.

    Args:
        scenes: what is looked at.
        files: their cached features.
        pictures: sizes and labels of their samples.
        config: what shaped the features.
        actions: vocabulary.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        files: Sequence[Path],
        pictures: Mapping[Sample, SamplePicture],
        config: FeatureConfig,
        actions: Sequence[str],
    ) -> None:
        self._files = list(files)
        cells = config.preprocess.size // config.preprocess.multiple
        self._labels = torch.zeros(len(scenes), len(actions), cells, cells)
        self._present = torch.zeros(len(scenes), len(actions), dtype=torch.bool)
        self._absent = torch.zeros_like(self._present)
        for row, scene in enumerate(scenes):
            for action, label in scene.labels(pictures, config.views, cells).items():
                self._labels[row, actions.index(action)] = torch.from_numpy(label)
                self._present[row, actions.index(action)] = True
            for action in scene.absent(actions):
                self._absent[row, actions.index(action)] = True

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Batch:
        tokens = np.load(self._files[index]).astype(np.float32)
        return {
            "tokens": torch.from_numpy(tokens),
            "labels": self._labels[index],
            "present": self._present[index],
            "absent": self._absent[index],
        }


class ActionHeadData(LightningDataModule):
    """Training and validation batches from a folder in AGD20K layout.

    About one sample in `validation_every` is held out by its name, so that the same
    pictures are held out whatever else the run changes.

    Args:
        root: folder above `trainset`.
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
    ) -> None:
        super().__init__()
        self.root = root
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
        samples = read_samples(self.root, self.actions, with_masks=self.labels == "masks")
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
        planned = plan_scenes(samples, size, self.views, self.seed)
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
        if self.labels == "masks":
            pictures = {sample: SamplePicture.of(sample) for sample in used}
        else:
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
            )
            for scenes in (training, validation)
        )

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
        backbone.to("cuda" if torch.cuda.is_available() else "cpu")
        config = FeatureConfig(
            self.backbone, self.backbone_fingerprint, self.blocks, self.preprocess, self.views
        )
        return config, backbone

    def _excluded(self, sample: Sample) -> bool:
        return sample.object_name in self.excluded_objects

    def _held_out(self, sample: Sample) -> bool:
        identity = f"validation/{sample.object_name}/{sample.path.stem}".encode()
        return zlib.crc32(identity) % self.validation_every == 0

    def _loader(self, dataset: FeatureDataset | None, shuffle: bool) -> DataLoader[Batch]:
        if dataset is None:
            raise RuntimeError("setup() must run before a dataloader is asked for")
        drop_last = shuffle and len(dataset) > self.batch_size
        return DataLoader(dataset, self.batch_size, shuffle=shuffle, drop_last=drop_last)
