"""Trains the mask network, writes its checkpoint and reads it back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from lightning import Trainer, seed_everything
from torch.utils.data import DataLoader

from affordance_grounding_core.checkpoints.format import (
    Checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from affordance_grounding_core.errors import CheckpointError
from affordance_grounding_core.labelling.part_names import Pair
from affordance_grounding_core.methods.plsp.refinement.config import RefinementConfig
from affordance_grounding_core.methods.plsp.refinement.dataset import Item, RefinementViews, collate
from affordance_grounding_core.methods.plsp.refinement.encoders import (
    FrozenPatches,
    RefinementEncoders,
)
from affordance_grounding_core.methods.plsp.refinement.feature_bank import VisibleObjectBank
from affordance_grounding_core.methods.plsp.refinement.network import MaskNetwork
from affordance_grounding_core.methods.plsp.refinement.pictures import PictureFormat
from affordance_grounding_core.methods.plsp.refinement.samples import RefinementSample
from affordance_grounding_core.methods.plsp.refinement.task import RefinementTask
from affordance_grounding_core.training.callbacks import keep_last, resume_path
from affordance_grounding_core.training.checkpoint_io import SafeCheckpointIO

MODEL_FOLDER = "refinement"
METHOD = "plsp_refinement"


@dataclass(frozen=True)
class FitConfig:
    """How masks are trained; the defaults are the published ones.

    Attributes:
        epochs: number of passes over all samples.
        batch_size: samples in a batch.
        accumulate: batches in a step.
        workers: processes that read images.
        seed: seed of everything random.
        devices: number of devices, or "auto" for all.
        accelerator: Lightning's accelerator: "auto", "gpu" or "cpu".
        resume: "last", the path of a state, or None to start anew.
        show_progress: whether progress bars are drawn.
    """

    epochs: int = 20
    batch_size: int = 1
    accumulate: int = 20
    workers: int = 2
    seed: int = 0
    devices: int | str = "auto"
    accelerator: str = "auto"
    resume: str | None = None
    show_progress: bool = True

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "accumulate"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


def fit_masks(
    samples: Sequence[RefinementSample],
    encoders: RefinementEncoders,
    pairs: Sequence[Pair],
    folder: Path,
    config: RefinementConfig,
    fit: FitConfig,
) -> Checkpoint | None:
    """Train a mask network and write it.

    Args:
        samples: samples to learn from.
        encoders: encoders to see with.
        pairs: pairs in the order of the network's queries.
        folder: folder of the model, made where needed.
        config: options of the learning.
        fit: settings of the run.

    Returns:
        The model as written; None in the processes Lightning starts for further devices.

    Raises:
        DatasetError: no sample can be used.
        TrainingError: the loss is not finite.
        CheckpointError: the model cannot be written, or the state to resume from is not there.
    """
    seed_everything(fit.seed, verbose=False)
    picture_format = PictureFormat(encoders.mean, encoders.std, encoders.size)
    network = MaskNetwork(encoders.masks, len(pairs), config, encoders.queries)
    frozen = FrozenPatches(encoders.frozen)
    visible = [item for sample in samples for group in sample.partners for item in group]
    bank = VisibleObjectBank(visible, frozen, picture_format, show_progress=fit.show_progress)
    numbers = {pair: number for number, pair in enumerate(pairs)}
    views = RefinementViews(samples, bank, numbers, picture_format, config)
    loader = _loader(views, fit)
    trainer = _trainer(folder, fit)
    task = RefinementTask(network, frozen, config)
    resumed = resume_path(folder, fit.resume)
    trainer.fit(task, loader, ckpt_path=None if resumed is None else str(resumed))
    if not trainer.is_global_zero:
        return None
    loss = float(trainer.callback_metrics.get("train/loss", float("nan")))
    how = {key: value for key, value in asdict(fit).items() if key != "show_progress"}
    description = {
        "method": METHOD,
        "features": encoders.name,
        "pairs": ["/".join(pair) for pair in pairs],
        "network": asdict(config),
        "training": {
            **how,
            "samples": len(views),
            "unusable_partners": len(bank.unusable),
            "loss": round(loss, 6) if np.isfinite(loss) else None,
        },
    }
    return write_checkpoint(folder, description, network.trained_state())


def _loader(views: RefinementViews, fit: FitConfig) -> DataLoader[Item]:
    return DataLoader(
        views,
        fit.batch_size,
        shuffle=True,
        num_workers=fit.workers,
        persistent_workers=fit.workers > 0,
        collate_fn=collate,
    )


def _trainer(folder: Path, fit: FitConfig) -> Trainer:
    return Trainer(
        max_epochs=fit.epochs,
        accumulate_grad_batches=fit.accumulate,
        accelerator=fit.accelerator,
        devices=fit.devices,
        callbacks=[keep_last(folder)],
        plugins=[SafeCheckpointIO()],
        logger=False,
        enable_model_summary=False,
        enable_progress_bar=fit.show_progress,
    )


def load_masks(folder: Path, encoders: RefinementEncoders, pairs: Sequence[Pair]) -> MaskNetwork:
    """Load a trained mask network.

    Args:
        folder: folder of the model.
        encoders: encoders that it was trained with.
        pairs: pairs that it was trained for, in that order.

    Raises:
        CheckpointError: it is missing or damaged, of another kind, or does not fit.
    """
    checkpoint = read_checkpoint(folder)
    stored = checkpoint.config
    wanted = {"method": METHOD, "features": encoders.name}
    for key, value in wanted.items():
        if stored.get(key) != value:
            raise CheckpointError(
                f"checkpoint {folder} has {key} {stored.get(key)!r}, expected {value!r}; train "
                "masks anew without --model"
            )
    if list(stored.get("pairs", [])) != ["/".join(pair) for pair in pairs]:
        raise CheckpointError(
            f"checkpoint {folder} was trained for the pairs {stored.get('pairs')}; refine those, "
            "or train masks anew without --model"
        )
    try:
        config = RefinementConfig(**stored["network"])
        network = MaskNetwork(encoders.masks, len(pairs), config, encoders.queries)
        network.load_trained_state(dict(checkpoint.tensors))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"checkpoint {folder} does not fit: {error}") from error
    return network


def trained_pairs(folder: Path) -> list[Pair]:
    """Read for which pairs a mask network was trained.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    names = read_checkpoint(folder).config.get("pairs", [])
    return [(str(name).partition("/")[0], str(name).partition("/")[2]) for name in names]


def require_pairs(chosen: Collection[Pair], pairs: Collection[Pair], folder: Path | None) -> None:
    """Check that a mask network knows all pairs that are to be refined.

    Args:
        chosen: pairs to be refined.
        pairs: pairs that it was trained for.
        folder: folder of the network, for the message.

    Raises:
        CheckpointError: it does not know one.
    """
    if unknown := sorted("/".join(pair) for pair in set(chosen) - set(pairs)):
        raise CheckpointError(
            f"checkpoint {folder} was not trained for the pairs {unknown}; it knows "
            f"{sorted('/'.join(pair) for pair in pairs)}: refine those, or train without --model"
        )
