from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from affordance_grounding_core.checkpoints.format import (
    packaged_checkpoint,
    packaged_names,
    read_checkpoint,
    write_checkpoint,
)
from affordance_grounding_core.errors import CheckpointError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_checkpoint(tmp_path / "model", {"method": "drawn"}, {"weight": torch.arange(6.0)})
    return tmp_path / "model"


def test_what_was_written_is_read(folder: Path) -> None:
    checkpoint = read_checkpoint(folder)
    assert checkpoint.config["method"] == "drawn"
    assert torch.equal(checkpoint.tensors["weight"], torch.arange(6.0))
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_same_content_has_the_same_fingerprint(folder: Path, tmp_path: Path) -> None:
    again = write_checkpoint(tmp_path / "again", {"method": "drawn"}, {"weight": torch.arange(6.0)})
    assert again.fingerprint == read_checkpoint(folder).fingerprint


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"has no {name}"):
        read_checkpoint(folder)


def test_changed_weights_are_refused(folder: Path) -> None:
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged or was exchanged"):
        read_checkpoint(folder)


def test_edited_config_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"method": "other"}))
    with pytest.raises(CheckpointError, match="edited or damaged"):
        read_checkpoint(folder)


def test_layout_of_the_config_file_does_not_matter(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(dict(reversed(config.items()))))
    assert read_checkpoint(folder).config == config


def test_broken_config_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read as JSON"):
        read_checkpoint(folder)


@pytest.mark.parametrize("content", [{"format_version": 99}, [], {}])
def test_other_format_versions_are_refused(folder: Path, content: object) -> None:
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="format_version"):
        read_checkpoint(folder)


def test_pickle_in_place_of_weights_is_never_run(folder: Path) -> None:
    import hashlib

    torch.save({"weight": torch.zeros(1)}, folder / "model.safetensors")
    content = (folder / "model.safetensors").read_bytes()
    write_checkpoint(folder, {"weights_sha256": hashlib.sha256(content).hexdigest()}, {})
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="no safetensors file"):
        read_checkpoint(folder)


def test_unwritable_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written"):
        write_checkpoint(tmp_path / "file" / "model", {}, {})


def test_failed_write_leaves_the_old_checkpoint(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CheckpointError, match="No space left"):
        write_checkpoint(folder, {"method": "new"}, {"weight": torch.zeros(2)})
    monkeypatch.undo()
    assert read_checkpoint(folder).config["method"] == "drawn"


@pytest.mark.parametrize("name", ["../checkpoints/default", "/etc", "default/..", ""])
def test_names_are_not_paths(name: str) -> None:
    assert packaged_checkpoint(name) is None


def test_default_comes_with_the_package() -> None:
    assert "default" in packaged_names()
    folder = packaged_checkpoint("default")
    assert folder is not None
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 5_000_000
    assert read_checkpoint(folder).config["method"] == "action_head"
