"""Files are replaced as a whole or left as they were."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from affordance_grounding_core.files import replace_file, replace_json


def test_a_file_is_written_with_its_folder_and_ordinary_rights(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.bin"
    replace_file(path, b"first")
    replace_file(path, b"second")
    assert path.read_bytes() == b"second"
    (tmp_path / "ordinary").write_bytes(b"")
    expected = stat.S_IMODE((tmp_path / "ordinary").stat().st_mode)
    assert stat.S_IMODE(path.stat().st_mode) == expected
    assert [file.name for file in path.parent.iterdir()] == ["c.bin"]


@pytest.mark.parametrize("step", ["replace", "write"])
def test_what_was_there_survives_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "c.bin"
    replace_file(path, b"good")
    if step == "replace":

        def fail(*_: object) -> None:
            raise OSError("no space left")

        monkeypatch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="no space left"):
            replace_file(path, b"new")
    else:
        with pytest.raises(TypeError):
            replace_file(path, "text")  # type: ignore[arg-type]
    assert path.read_bytes() == b"good"
    assert [file.name for file in tmp_path.iterdir()] == ["c.bin"]


def test_json_is_readable_by_everything(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    replace_json(path, {"name": "Tür", "value": 0.5})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "Tür", "value": 0.5}
    with pytest.raises(ValueError, match="Out of range"):
        replace_json(path, {"value": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8"))["value"] == 0.5
