"""The package meets every golden number, and the runner tells when it does not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import conformance
import numpy as np
import pytest
from checks.comparison import Comparison

DATA = Path(__file__).parent / "data"
FILES = sorted(path.name for path in DATA.glob("*.npz"))


@pytest.fixture(scope="module")
def rows() -> list[conformance.Row]:
    return list(conformance.run(DATA))


def corrupt(folder: Path, name: str, key: str) -> None:
    """Copy a golden file with one of its numbers changed."""
    arrays = dict(np.load(DATA / name))
    arrays[key] = arrays[key] + 0.01
    np.savez(folder / name, **arrays)


@pytest.mark.parametrize("name", [name for name in FILES if name != "images.npz"])
def test_every_quantity_of_a_file_meets_its_golden_number(
    name: str, rows: list[conformance.Row]
) -> None:
    ours = [row for row in rows if row.file == name]
    assert len(ours) >= 2
    assert not [str(row) for row in ours if not row.passed]


def test_the_command_line_passes_from_any_folder(tmp_path: Path) -> None:
    shutil.copy(DATA / "clip_affinity.npz", tmp_path / "any name.npz")
    result = subprocess.run(
        [sys.executable, conformance.__file__, ".", "--json", "rows.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == conformance.PASSED, result.stdout + result.stderr
    written = json.loads((tmp_path / "rows.json").read_text())
    assert {row["quantity"] for row in written} >= {"ego_similarity", "exo_similarity"}
    assert all(row["passed"] and row["max_abs"] < 1e-4 for row in written)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("clip_affinity.npz", "exo_similarity"),
        ("eval_locate.npz", "r0.kl"),
        ("pixel_contrastive.npz", "rand.grad_contfeat_ego"),
        ("plsp_metrics.npz", "prob.NSS"),
        ("proto_contrastive.npz", "dup.loss"),
    ],
)
def test_a_number_that_is_off_fails(
    name: str, key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corrupt(tmp_path, name, key)
    assert conformance.main([str(tmp_path)]) == conformance.FAILED
    failed = [line for line in capsys.readouterr().out.splitlines() if "FAIL" in line]
    assert len(failed) == 1
    assert key.split(".")[-1] in failed[0]


def test_a_folder_without_golden_files_runs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conformance.main([str(tmp_path)]) == conformance.NOTHING_RAN
    assert conformance.main([str(tmp_path / "missing")]) == conformance.NOTHING_RAN
    assert "no golden file" in capsys.readouterr().err


def test_files_that_cannot_be_checked_fail_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "damaged.npz").write_bytes(b"PK\x03\x04 no archive")
    np.savez(tmp_path / "foreign.npz", something=np.zeros(3))
    np.savez(tmp_path / "partial.npz", **{"case.pred": np.ones((4, 4)), "case.kl": 0.0})
    shutil.copy(DATA / "clip_affinity.npz", tmp_path)
    assert conformance.main([str(tmp_path)]) == conformance.FAILED
    output = capsys.readouterr().out
    for name, reason in (
        ("damaged.npz", "cannot be read"),
        ("foreign.npz", "no check knows"),
        ("partial.npz", "no check knows"),
    ):
        assert any(line.startswith(name) and reason in line for line in output.splitlines())
    assert "5 pass, 3 fail" in output


@pytest.mark.parametrize(
    ("ours", "golden", "defect"),
    [
        (1.0, 1.00009, ""),
        (1.0, 1.001, "beyond tolerance"),
        (0.0, np.nan, ""),
        (np.nan, np.nan, "1 values not finite"),
        (np.nan, 1.0, "1 values not finite"),
        ([1.0, 2.0], [1.0, np.nan], ""),
        ([1.0, 2.0], [2.0, np.nan], "beyond tolerance"),
        ([[1.0]], [1.0], "shape (1, 1), golden (1,)"),
    ],
)
def test_ours_must_be_finite_where_the_published_code_gives_nan(
    ours: float | list[float], golden: float | list[float], defect: str
) -> None:
    assert Comparison("case", "quantity", ours, golden).defect == defect
