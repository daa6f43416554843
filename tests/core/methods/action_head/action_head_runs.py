"""Small training runs of the action head, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from affordance_grounding_core.checkpoints.format import Checkpoint

CONFIGS = Path(__file__).parents[4] / "config" / "train"


def tiny_run(config: str, root: Path, output: Path, backbone: Path, *more: str) -> list[str]:
    """Command line of a run of seconds, with a file of `CONFIGS`; later options win."""
    return [
        f"--config={CONFIGS / config}",
        f"--data.root={root}",
        f"--output={output}",
        f"--data.backbone_weights={backbone}",
        "--model.actions=[hold, drink_with, hit]",
        "--model.initial=null",
        "--data.workers=0",
        "--data.preprocess.size=112",
        "--data.batch_size=4",
        "--data.views.count=2",
        "--data.validation_every=3",
        "--trainer.max_epochs=2",
        "--trainer.enable_progress_bar=false",
        *more,
    ]


def all_but_time(checkpoint: Checkpoint) -> dict[str, Any]:
    """What a checkpoint holds, the hash of its weights included, but for how long it took."""
    config = {key: value for key, value in checkpoint.config.items() if key != "config_sha256"}
    training = {key: value for key, value in config["training"].items() if key != "minutes"}
    return {**config, "training": training}
