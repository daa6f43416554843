"""Atomic Lightning checkpoints that hold only tensors and plain values."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from affordance_grounding_core.errors import CheckpointError


class SafeCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, then renames; reads tensors and plain values only."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint; the file that was there stays until the new one is complete.

        Args:
            checkpoint: tensors and plain values.
            path: file to write; its folder is made if needed.
            storage_options: not used.

        Raises:
            CheckpointError: it cannot be written; what was there before is untouched.
        """
        target = Path(path)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            # Through a Python file, so that a full disk is an OSError with its reason.
            with temporary.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except (OSError, RuntimeError) as error:  # PyTorch wraps what its writer meets
            raise CheckpointError(
                f"checkpoint {target} cannot be written ({_reason(error)}); the last one that was "
                "written is whole: free space and resume from it with --resume last"
            ) from error
        finally:
            temporary.unlink(missing_ok=True)

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Any = lambda storage, location: storage,
        weights_only: bool | None = True,
    ) -> dict[str, Any]:
        """Read a checkpoint; a pickle of anything but tensors and plain values is refused.

        Args:
            path: file to read.
            map_location: device of the tensors, see `torch.load`.
            weights_only: not used; always true.

        Raises:
            CheckpointError: no such file, damaged, or holding more than plain values.
        """
        try:
            content: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
        except Exception as error:  # the unpickler raises many kinds on what is no pickle
            raise CheckpointError(
                f"checkpoint {path} cannot be read ({_reason(error)}); expected a .ckpt file that "
                "training wrote"
            ) from error
        return content


def _reason(error: BaseException) -> str:
    """First line of the message, which may go on for a screen."""
    cause = error.__cause__ or error.__context__ if isinstance(error, RuntimeError) else None
    shown = cause if isinstance(cause, OSError) else error
    return str(shown).strip().split("\n", 1)[0] or type(shown).__name__
