"""The file of taught actions: what is written is read, and anything else is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from affordance_grounding_core.errors import TeachingError
from affordance_grounding_core.teaching.collection import BackboneIdentity, TaughtActions
from affordance_grounding_core.teaching.exemplars import make_exemplar, unit
from affordance_grounding_core.teaching.file import (
    FILE_VARIABLE,
    default_file,
    read_taught,
    write_taught,
)


def some_actions() -> TaughtActions:
    random = np.random.default_rng(0)
    taught = TaughtActions(BackboneIdentity("dinov2_vits14", "ab" * 32, (-3, -1)))
    for name in ("press shutter", "press shutter", "lift"):
        features = unit(random.normal(size=(6, 7, 12)).astype(np.float32))
        covered = np.zeros((6, 7), np.float32)
        covered[2:4, 3:5] = 0.8
        exemplar = make_exemplar(
            features, covered, np.ones((6, 7), np.float32), source="a.jpg", mark="box 1 2 3 4"
        )
        taught = taught.add(name, exemplar)
    return taught


def test_what_is_written_is_read(tmp_path: Path) -> None:
    taught, file = some_actions(), tmp_path / "new" / "taught.safetensors"
    write_taught(file, taught)
    read = read_taught(file)
    assert read.backbone == taught.backbone
    assert list(read.actions) == ["press_shutter", "lift"]
    for name, action in taught.actions.items():
        assert read.actions[name].overrides == action.overrides
        for ours, theirs in zip(action.exemplars, read.actions[name].exemplars, strict=True):
            for kind in ("foreground", "coverage", "background", "share"):
                np.testing.assert_array_equal(getattr(ours, kind), getattr(theirs, kind))
            assert (ours.source, ours.mark) == (theirs.source, theirs.mark)


def test_changes_leave_the_one_before_as_it_was() -> None:
    taught = some_actions()
    fewer = taught.remove("press shutter", 1).remove("lift").rename("press_shutter", "Click It")
    assert {name: len(one.exemplars) for name, one in fewer.actions.items()} == {"click_it": 1}
    assert len(taught.actions["press_shutter"].exemplars) == 2
    assert list(taught.rename("press shutter", "zoom").actions) == ["zoom", "lift"], "order stays"
    assert not taught.remove("lift", 1).remove("press shutter").actions


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda taught: taught.remove("juggle"), "taught are: press_shutter, lift"),
        (lambda taught: taught.remove("lift", 2), "numbered from 1 to 1"),
        (lambda taught: taught.remove("lift", 0), "numbered from 1 to 1"),
        (lambda taught: taught.rename("lift", "press shutter"), "has been taught already"),
        (lambda taught: taught.rename("juggle", "x"), "has not been taught"),
    ],
)
def test_changes_of_what_is_not_there_are_refused(change: object, message: str) -> None:
    with pytest.raises(TeachingError, match=message):
        change(some_actions())  # type: ignore[operator]


def damaged(content: bytes) -> dict[str, bytes]:
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])

    def with_metadata(**changed: str) -> bytes:
        text = json.dumps({**header, "__metadata__": header["__metadata__"] | changed}).encode()
        return len(text).to_bytes(8, "little") + text + content[8 + length :]

    described = json.loads(header["__metadata__"]["description"])
    return {
        "empty": b"",
        "text": b"hello, this is no tensor file at all",
        "cut": content[:-100],
        "flipped": content[:-3] + bytes([content[-3] ^ 1]) + content[-2:],
        "other": save({"a": np.zeros(3, np.float16)}),
        "other format": with_metadata(format="something"),
        "renamed inside": with_metadata(description=json.dumps(described).replace("lift", "hold")),
        "no description": with_metadata(description="[]"),
        "long header": (1 << 60).to_bytes(8, "little") + content[8:],
    }


KINDS = (
    "empty", "text", "cut", "flipped", "other", "other format", "renamed inside",
    "no description", "long header",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "taught.safetensors"
    write_taught(file, some_actions())
    file.write_bytes(damaged(file.read_bytes())[kind])
    with pytest.raises(TeachingError, match=r"taught\.safetensors cannot be used"):
        read_taught(file)


def test_another_format_version_says_so(tmp_path: Path) -> None:
    file = tmp_path / "taught.safetensors"
    write_taught(file, some_actions())
    content = file.read_bytes().replace(b'"format_version":"1"', b'"format_version":"2"')
    file.write_bytes(content)
    with pytest.raises(TeachingError, match="have format version '2'"):
        read_taught(file)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(TeachingError, match="cannot be read"):
        read_taught(tmp_path / "none.safetensors")


def test_the_default_file_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_file() == Path("/data/affordance_grounding/taught.safetensors")
    monkeypatch.setenv(FILE_VARIABLE, "/else/where.safetensors")
    assert default_file() == Path("/else/where.safetensors")
