"""Batches of cached features and labels for training the action head."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.weights import (
    cache_directory,
    load_pinned,
    tensor_fingerprint,
)
from affordance_grounding_core.images import read_rgb
from affordance_grounding_core.inference.preprocess import PreprocessConfig
from affordance_grounding_core.methods.action_head.config import ViewConfig
from affordance_grounding_core.methods.action_head.features import FeatureConfig, cache_features
from affordance_grounding_core.methods.action_head.samples import Sample, read_samples
from affordance_grounding_core.methods.action_head.views import view_label

logger = logging.getLogger(__name__)

Batch = dict[str, torch.Tensor]
_SMALLEST_LABEL = 1e-3  # mean of a label; less has left the view


class FeatureDataset(Dataset[Batch]):
    """Views of samples: features, labels, which actions are present and which absent.

    Args:
        samples: pictures.
        files: their cached features.
        config: what shaped the features.
        actions: vocabulary.
        views: how many of the cached views are used; 1 for the plain pictures alone.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        files: Sequence[Path],
        config: FeatureConfig,
        actions: Sequence[str],
        views: int,
    ) -> None:
        self._files = list(files)
        self._views = views
        cells = config.preprocess.size // config.preprocess.multiple
        shape = (len(samples) * views, len(actions))
        self._labels = torch.zeros(*shape, cells, cells)
        self._absent = torch.zeros(*shape, dtype=torch.bool)
        for index, sample in enumerate(samples):
            height, width = read_rgb(sample.path).shape[:2]
            labels = sample.labels(height, width)
            for number, view in enumerate(config.views_of(sample, height, width)[:views]):
                row = index * views + number
                for action, label in labels.items():
                    seen = view_label(label, view, cells)
                    self._labels[row, actions.index(action)] = torch.from_numpy(seen)
                for action in sample.absent:
                    self._absent[row, actions.index(action)] = True
        self._present = self._labels.mean(dim=(2, 3)) > _SMALLEST_LABEL

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> Batch:
        file, view = self._files[index // self._views], index % self._views
        tokens = np.array(np.load(file, mmap_mode="r")[view], np.float32)
        return {
            "tokens": torch.from_numpy(tokens),
            "labels": self._labels[index],
            "present": self._present[index],
            "absent": self._absent[index],
        }


class ActionHeadData(LightningDataModule):
    """Training and validation batches from a folder in AGD20K layout with part masks.

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
        samples = read_samples(self.root, self.actions, self.excluded_objects)
        tensors = load_pinned(path=self.backbone_weights)
        self.backbone_fingerprint = tensor_fingerprint(tensors)
        backbone = Dinov2(self.backbone)
        backbone.load_tensors(tensors)
        backbone.to("cuda" if torch.cuda.is_available() else "cpu")
        config = FeatureConfig(
            self.backbone,
            self.backbone_fingerprint,
            self.blocks,
            self.preprocess,
            self.views,
            self.seed,
        )
        files = cache_features(samples, config, backbone, cache_directory() / "features")
        pairs = list(zip(samples, files, strict=True))
        held_out = [self._held_out(sample) for sample, _ in pairs]
        training = [pair for pair, out in zip(pairs, held_out, strict=True) if not out]
        validation = [pair for pair, out in zip(pairs, held_out, strict=True) if out]
        logger.info("%d training and %d validation pictures", len(training), len(validation))
        self._training = self._dataset(training, config, self.views.count)
        self._validation = self._dataset(validation, config, 1)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled views; an incomplete last batch is left out."""
        return self._loader(self._training, shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Plain views of the held-out pictures."""
        return self._loader(self._validation, shuffle=False)

    def _dataset(
        self, pairs: Sequence[tuple[Sample, Path]], config: FeatureConfig, views: int
    ) -> FeatureDataset:
        samples, files = [sample for sample, _ in pairs], [file for _, file in pairs]
        return FeatureDataset(samples, files, config, self.actions, views)

    def _held_out(self, sample: Sample) -> bool:
        identity = f"validation/{sample.object_name}/{sample.path.stem}".encode()
        return zlib.crc32(identity) % self.validation_every == 0

    def _loader(self, dataset: FeatureDataset | None, shuffle: bool) -> DataLoader[Batch]:
        if dataset is None:
            raise RuntimeError("setup() must run before a dataloader is asked for")
        drop_last = shuffle and len(dataset) > self.batch_size
        return DataLoader(dataset, self.batch_size, shuffle=shuffle, drop_last=drop_last)
