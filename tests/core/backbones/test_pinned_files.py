from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from affordance_grounding_core.backbones import clip_weights, loading, pinned_files, table
from affordance_grounding_core.backbones.clip import random_clip
from affordance_grounding_core.backbones.clip_weights import load_clip_tensors
from affordance_grounding_core.backbones.dino import Dino
from affordance_grounding_core.backbones.pinned_files import cached_file, store_file
from affordance_grounding_core.backbones.table import CLIP_VITB16, DINO_VITS16, PinnedFile
from affordance_grounding_core.backbones.transformer_backbone import TransformerSizes
from affordance_grounding_core.commands.cli import app
from affordance_grounding_core.errors import WeightsError
from affordance_grounding_core.files import CACHE_VARIABLE, file_digest


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of weights."""
    folder = tmp_path / "cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(folder))
    return folder


@pytest.fixture
def published(tmp_path: Path) -> PinnedFile:
    """A published file that can be fetched without a network."""
    file = tmp_path / "publisher" / "weights.pth"
    file.parent.mkdir()
    file.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    return PinnedFile("dino_vits16", file.as_uri(), digest, 1)


def put_in_the_table(monkeypatch: pytest.MonkeyPatch, published: PinnedFile) -> None:
    row = replace(table.BACKBONES[published.name], weights=published)
    monkeypatch.setattr(table, "BACKBONES", {**table.BACKBONES, published.name: row})


def test_a_file_is_fetched_once(cache: Path, published: PinnedFile, tmp_path: Path) -> None:
    assert cached_file(published).read_bytes() == b"weights"
    (tmp_path / "publisher" / "weights.pth").unlink()
    assert cached_file(published) == cache / "weights.pth"


def test_another_file_than_the_published_one_is_refused_and_not_kept(
    cache: Path, published: PinnedFile
) -> None:
    with pytest.raises(WeightsError, match="is refused"):
        cached_file(replace(published, sha256="0" * 64))
    assert list(cache.iterdir()) == []


def test_a_changed_cached_file_is_refused(cache: Path, published: PinnedFile) -> None:
    cached_file(published).write_bytes(b"weightz")
    with pytest.raises(WeightsError, match=r"was changed.*Delete it"):
        cached_file(published)


def test_without_a_network_the_message_says_where_the_file_goes(
    cache: Path, published: PinnedFile
) -> None:
    gone = replace(published, url=published.url + ".gone")
    with pytest.raises(WeightsError, match=f"put the file at {cache / 'weights.pth.gone'}"):
        cached_file(gone)
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_a_warning_and_nothing_is_fetched_twice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    published: PinnedFile,
    caplog: pytest.LogCaptureFixture,
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv(CACHE_VARIABLE, str(blocked / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert cached_file(published).read_bytes() == b"weights"
    assert f"cache {blocked / 'cache'} cannot be written" in caplog.text
    assert CACHE_VARIABLE in caplog.text
    (tmp_path / "publisher" / "weights.pth").unlink()
    assert cached_file(published).read_bytes() == b"weights"


def test_the_command_refuses_a_cache_that_cannot_be_written_before_it_fetches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, published: PinnedFile
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv(CACHE_VARIABLE, str(blocked / "cache"))
    put_in_the_table(monkeypatch, published)
    monkeypatch.setattr(pinned_files, "download", lambda *_: pytest.fail("it was fetched"))
    run = CliRunner().invoke(app, ["weights", "dino_vits16"])
    assert isinstance(run.exception, WeightsError)
    assert f"{blocked} is no folder" in str(run.exception)


@pytest.mark.parametrize("name", ["dinov2_vits14", "dino_vits16"])
def test_the_command_names_a_file_that_is_not_there(cache: Path, tmp_path: Path, name: str) -> None:
    run = CliRunner().invoke(app, ["weights", name, "--file", str(tmp_path / "nope.pth")])
    assert isinstance(run.exception, WeightsError)
    assert "nope.pth" in str(run.exception)
    assert "free space" not in str(run.exception)


def test_weights_are_readable_by_all(cache: Path, published: PinnedFile) -> None:
    before = os.umask(0o022)
    try:
        assert stat.S_IMODE(cached_file(published).stat().st_mode) == 0o644
        assert stat.S_IMODE(store_file(published, cache / "weights.pth").stat().st_mode) == 0o644
    finally:
        os.umask(before)


def test_a_file_fetched_elsewhere_is_stored_if_it_is_the_right_one(
    cache: Path, published: PinnedFile, tmp_path: Path
) -> None:
    source = tmp_path / "publisher" / "weights.pth"
    assert store_file(published, source) == cache / "weights.pth"
    source.write_bytes(b"others")
    assert cached_file(published).read_bytes() == b"weights"
    with pytest.raises(WeightsError, match="another file or not fully copied"):
        store_file(published, source)
    with pytest.raises(WeightsError, match=r"nowhere\.pth cannot be read \(No such file"):
        store_file(published, tmp_path / "nowhere.pth")
    assert cached_file(published).read_bytes() == b"weights"


def test_the_command_stores_a_file_by_name(
    cache: Path, published: PinnedFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "publisher" / "weights.pth"
    put_in_the_table(monkeypatch, published)
    run = CliRunner().invoke(app, ["weights", "dino_vits16", "--file", str(source)])
    assert run.exit_code == 0, run.output
    assert (cache / "weights.pth").read_bytes() == b"weights"
    two = CliRunner().invoke(app, ["weights", "dino_vits16", "clip_vitb16", "--file", str(source)])
    assert two.exit_code == 2
    assert "one name" in two.output


def test_the_hash_of_clip_is_the_one_in_its_publishers_address() -> None:
    assert CLIP_VITB16.sha256 in CLIP_VITB16.url
    assert CLIP_VITB16.file_name == "ViT-B-16.pt"
    assert DINO_VITS16.file_name == "dino_deitsmall16_pretrain.pth"


def test_a_local_file_serves_as_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = TransformerSizes(32, 16, 12, 1, 2)
    monkeypatch.setattr(loading, "build_descriptor_backbone", lambda name: Dino(name, sizes=sizes))
    other = Dino(sizes=sizes)
    file = tmp_path / "dino.pth"
    torch.save({**other.transformer.state_dict(), "mask_token": torch.zeros(1)}, file)
    loaded = loading.load_descriptor_backbone("dino_vits16", file)
    for name, value in other.transformer.state_dict().items():
        assert torch.equal(loaded.transformer.state_dict()[name], value)


def test_a_local_state_dict_serves_as_clip(tmp_path: Path) -> None:
    file = tmp_path / "clip.pth"
    tensors = {name: value.half() for name, value in random_clip().tensors().items()}
    torch.save({**tensors, "input_resolution": torch.tensor(224)}, file)
    loaded = load_clip_tensors(file)
    assert loaded.keys() == tensors.keys()
    assert all(value.dtype == torch.float32 for value in loaded.values())


def write_archive(file: Path) -> torch.nn.Module:
    """A TorchScript archive, as OpenAI publishes CLIP."""
    module = torch.nn.Sequential(torch.nn.Linear(2, 2).half())
    module.register_buffer("context_length", torch.tensor(77))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.save(torch.jit.script(module), str(file))
    return module


def test_the_published_archive_is_read_once_its_hash_is_verified(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "clip.pt"
    module = write_archive(file)
    pinned = PinnedFile("clip_vitb16", file.as_uri(), file_digest(file), 1)
    monkeypatch.setattr(clip_weights, "CLIP_VITB16", pinned)
    for tensors in (load_clip_tensors(file), load_clip_tensors()):
        assert tensors.keys() == {"0.weight", "0.bias"}
        torch.testing.assert_close(tensors["0.weight"], module[0].weight.float())


@pytest.mark.filterwarnings("ignore:.*TorchScript archive:UserWarning")
def test_another_archive_is_not_run(tmp_path: Path) -> None:
    file = tmp_path / "ViT-B-16.pt"
    write_archive(file)
    with pytest.raises(WeightsError, match=r"is refused|cannot be read"):
        load_clip_tensors(file)
