"""A head that training goes on from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from affordance_grounding_core.checkpoints.format import packaged_checkpoint, read_checkpoint
from affordance_grounding_core.errors import CheckpointError
from affordance_grounding_core.methods.action_head.network import ActionHead

_OWN = ("masks.", "heat_offsets")
"""Names of tensors that a head may have beyond those it begins with, or fits anew."""


def start_from(head: ActionHead, name: str, actions: Sequence[str]) -> None:
    """Set the weights of a head to those of a trained one; part masks stay as they are.

    Args:
        head: of the same sizes.
        name: model of the package, or path of a checkpoint folder.
        actions: vocabulary of the head, which must be that of the trained one.

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
    tensors = {key: value for key, value in checkpoint.tensors.items() if not key.startswith(_OWN)}
    own = {key: value for key, value in head.state_dict().items() if key.startswith(_OWN)}
    try:
        head.load_state_dict(tensors | own)
    except RuntimeError as error:
        raise CheckpointError(
            f"training cannot begin with {checkpoint.folder}: its head has other sizes ({error}); "
            "set model.width, blocks and attention to its own"
        ) from error
