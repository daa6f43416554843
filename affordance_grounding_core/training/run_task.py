"""Training task of every method: what a state holds, and what it must fit to be resumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from lightning import LightningModule

from affordance_grounding_core.errors import CheckpointError


class RunTask(LightningModule):
    """Trains a network for a vocabulary, and refuses states of another.

    Args:
        actions: vocabulary; the order counts.

    Attributes:
        trained_part: name of what is trained, which a state has to fit, for messages.
        frozen_prefix: beginning of the names of the weights that are never trained; they stay
            out of states. None where all weights are trained.
    """

    trained_part: ClassVar[str]
    frozen_prefix: ClassVar[str | None] = None

    def __init__(self, actions: Sequence[str]) -> None:
        super().__init__()
        self.actions = list(actions)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave frozen weights out, and add the vocabulary."""
        frozen = self._frozen_weights()
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {n: value for n, value in state.items() if n not in frozen}
        checkpoint["actions"] = self.actions

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a state of another vocabulary or network.

        Raises:
            CheckpointError: naming both vocabularies, or what does not fit.
        """
        if checkpoint.get("actions") != self.actions:
            raise CheckpointError(
                f"checkpoint was trained for the actions {checkpoint.get('actions')}, this run "
                f"has {self.actions}; the order counts too: resume with the same model.actions, "
                "or start a new run"
            )
        state, own, frozen = checkpoint["state_dict"], self.state_dict(), self._frozen_weights()
        trained = own.keys() - frozen.keys()
        misfits = sorted(
            name
            for name in trained | state.keys()
            if name not in trained or name not in state or own[name].shape != state[name].shape
        )
        if misfits:
            raise CheckpointError(
                f"checkpoint does not fit this run's {self.trained_part}, for example "
                f"{misfits[:3]}; resume with the config that it was trained with"
            )
        state.update(frozen)

    def take_over(self, state: Mapping[str, Any]) -> None:
        """Take over the weights of a state that this task has saved.

        Args:
            state: state that Lightning wrote, with "state_dict".
        """
        self.load_state_dict({**state["state_dict"], **self._frozen_weights()})

    def _frozen_weights(self) -> dict[str, torch.Tensor]:
        prefix = self.frozen_prefix
        if prefix is None:
            return {}
        return {name: v for name, v in self.state_dict().items() if name.startswith(prefix)}
