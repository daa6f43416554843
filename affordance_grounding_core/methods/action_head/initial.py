"""A head that training goes on from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from affordance_grounding_core.checkpoints.format import packaged_checkpoint, read_checkpoint
from affordance_grounding_core.checkpoints.sections import read_section
from affordance_grounding_core.errors import CheckpointError
from affordance_grounding_core.methods.action_head.config import ActionHeadConfig
from affordance_grounding_core.methods.action_head.network import ActionHead

_ANEW = ("masks.", "heat_offsets")
"""Names of tensors that every run begins or fits anew."""

_ADDED = (*_ANEW, "context.")
"""Names of tensors that a head may have beyond those it begins with."""


def start_from(head: ActionHead, name: str, actions: Sequence[str]) -> ActionHead:
    """Set the weights of a head to those of a trained one; what that one has not stays as it is.

    Args:
        head: of the same sizes.
        name: model of the package, or path of a checkpoint folder.
        actions: vocabulary of the head, which must be that of the trained one.

    Returns:
        The trained head itself, with its own layers, for inference alone.

    Raises:
        CheckpointError: no such checkpoint, another vocabulary or other sizes.
    """
    checkpoint = read_checkpoint(packaged_checkpoint(name) or Path(name).expanduser())
    known = list(checkpoint.config.get("actions", []))
    if known != list(actions):
        raise CheckpointError(
            f"training cannot begin with {checkpoint.folder}: its actions are {known}, the run's "
            f"are {list(actions)}; set model.actions to the former"
        )
    try:
        trained = ActionHead(read_section(checkpoint.config, "network", ActionHeadConfig))
        trained.load_state_dict({"heat_offsets": trained.heat_offsets} | dict(checkpoint.tensors))
        tensors = {k: v for k, v in checkpoint.tensors.items() if not k.startswith(_ANEW)}
        own = {k: v for k, v in head.state_dict().items() if k.startswith(_ADDED)}
        head.load_state_dict(own | tensors)
    except (ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"training cannot begin with {checkpoint.folder}: its head has other sizes ({error}); "
            "set model.width, blocks, attention and context to its own"
        ) from error
    return trained.eval().requires_grad_(False)
