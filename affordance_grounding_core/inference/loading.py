"""From the name of a model to a grounder that is ready to use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_core.errors import CheckpointError

if TYPE_CHECKING:
    from affordance_grounding_core.inference.grounder import Grounder


def load_grounder(
    name: str | Path = "default",
    runtime: str = "auto",
    *,
    backbone_weights: str | Path | None = None,
) -> Grounder:
    """Load a model.

    Args:
        name: a model of the package ("default") or a checkpoint folder.
        runtime: "auto" or "eager": PyTorch, on a CUDA device where there is one.
        backbone_weights: local file of the frozen backbone; where None, the cached or
            pinned weights, which are fetched once.

    Returns:
        A grounder; `warm_up` makes its first call as fast as the others.

    Raises:
        CheckpointError: no such model, or a file that is missing, damaged or of another kind.
        WeightsError: the backbone cannot be fetched or verified.
        RuntimeUnavailableError: no such runtime on this machine.
    """
    # PyTorch comes with these; importing the package alone stays quick.
    from affordance_grounding_core.checkpoints.format import (
        packaged_checkpoint,
        packaged_names,
        read_checkpoint,
    )

    try:
        folder = packaged_checkpoint(str(name)) or Path(name).expanduser()
        is_folder = bool(str(name)) and folder.is_dir()
    except (OSError, RuntimeError):  # too long for a file system; the home of nobody
        is_folder = False
    if not is_folder:
        raise CheckpointError(
            f"model {abbreviate(str(name), 200)} is neither one of {packaged_names()} nor a "
            "checkpoint folder; give one of these names or the path of a folder with config.json "
            "and model.safetensors"
        )
    checkpoint = read_checkpoint(folder)
    method = checkpoint.config.get("method")
    if method == "action_head":
        from affordance_grounding_core.methods.action_head.inference import build_grounder

        weights = Path(backbone_weights).expanduser() if backbone_weights else None
        return build_grounder(checkpoint, str(name), runtime, weights)
    raise CheckpointError(
        f"checkpoint {folder} was trained by method {method!r}; this version of the package "
        "runs 'action_head'"
    )
