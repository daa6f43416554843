"""States of training survive a full disk and hold nothing that could be run."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from affordance_grounding_core.errors import CheckpointError
from affordance_grounding_core.training.checkpoint_io import SafeCheckpointIO

STATE = {"state_dict": {"weight": torch.arange(6.0)}, "epoch": 3, "scores": [{"kld": 1.5}]}


class FullDisk(io.FileIO):
    """Takes the first bytes and then no more."""

    def write(self, data: Any) -> int:
        if self.tell() > 100:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "last.ckpt"
    SafeCheckpointIO().save_checkpoint(STATE, path)
    found = SafeCheckpointIO().load_checkpoint(path)
    assert found["epoch"] == 3
    assert torch.equal(found["state_dict"]["weight"], torch.arange(6.0))
    assert [file.name for file in path.parent.iterdir()] == ["last.ckpt"]


def test_a_full_disk_leaves_the_last_state_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    SafeCheckpointIO().save_checkpoint(STATE, path)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda self, mode="r": FullDisk(str(self), "w"))
        with pytest.raises(CheckpointError, match=r"No space left.*--resume last"):
            SafeCheckpointIO().save_checkpoint(STATE | {"epoch": 4}, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_pickle_that_would_run_something_is_refused(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "harmed"),)

    torch.save({"state_dict": Harm()}, tmp_path / "evil.ckpt")
    with pytest.raises(CheckpointError, match="cannot be read"):
        SafeCheckpointIO().load_checkpoint(tmp_path / "evil.ckpt", weights_only=False)
    assert not (tmp_path / "harmed").exists()


def test_what_is_no_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / "junk.ckpt").write_bytes(b"junk")
    for name in ("junk.ckpt", "nowhere.ckpt"):
        with pytest.raises(CheckpointError, match=f"{name} cannot be read"):
            SafeCheckpointIO().load_checkpoint(tmp_path / name)
