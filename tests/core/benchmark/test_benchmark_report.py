"""What a benchmark says, as lines, as JSON and as a picture."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from affordance_grounding_core.benchmark.machine import Machine
from affordance_grounding_core.benchmark.plot import draw_report
from affordance_grounding_core.benchmark.report import BenchmarkReport, Row
from affordance_grounding_core.images import read_rgb


@pytest.fixture
def report() -> BenchmarkReport:
    machine = Machine(2, 2, "cpu", {"fp32": 150.0, "bf16": 300.0})
    rows = (
        Row("inference", "published-eager", "fp32", 330.0, 350.0, 1.0, None, "reference", 78.0),
        Row("inference", "openvino", "bf16", 66.0, 70.0, 0.2, 0.01, "passed", 42.0, 300.0),
        Row("inference", "tensorrt", "fp16", None, None, None, None, "none: no GPU"),
    )
    return BenchmarkReport("model", machine, rows)


def test_json_holds_rows_and_machine(report: BenchmarkReport) -> None:
    written = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert [row["ratio"] for row in written["rows"]] == [1.0, 0.2, None]
    assert written["machine"]["gflops"]["bf16"] == 300.0
    assert written["machine"]["roofline_ms"] == {"inference fp32": 78.0, "inference bf16": 42.0}
    assert [row["roofline_fraction"] for row in written["rows"]] == [78 / 330, 42 / 66, None]
    lowest = {"inference fp32": 78 / 330, "inference bf16": 42 / 330}
    assert written["machine"]["lowest_ratio"] == lowest


def test_table_is_aligned_and_names_what_is_missing(report: BenchmarkReport) -> None:
    first, header, *lines = report.table()
    lines, limits = lines[: len(report.rows)], lines[len(report.rows) :]
    assert limits[-1] == "lowest ratio this machine allows, inference bf16: 0.127"
    assert "64%" in lines[1]
    assert "150" in first
    assert len({line.index(row.runtime) for line, row in zip(lines, report.rows, strict=True)}) == 1
    assert "0.200" in lines[1]
    assert lines[2].endswith("none: no GPU")
    assert header.split()[:3] == ["work", "runtime", "precision"]


def test_a_share_above_the_machines_rate_is_a_failed_measurement(report: BenchmarkReport) -> None:
    assert report.failed() == ()
    assert report.as_dict()["failed_measurements"] == []
    quicker = replace(report.rows[1], median_ms=40.0)
    (sentence,) = replace(report, rows=(report.rows[0], quicker)).failed()
    assert sentence.startswith(
        "failed measurement: inference by openvino bf16 attains 105% of the machine's rate"
    )
    assert replace(report, rows=(quicker,)).table()[-1] == sentence


def test_picture_is_drawn(report: BenchmarkReport, tmp_path: Path) -> None:
    draw_report(report, tmp_path / "new" / "bars.png")
    picture = read_rgb(tmp_path / "new" / "bars.png")
    assert picture.shape[1] > 400
    assert len({tuple(colour) for colour in picture.reshape(-1, 3)[::7]}) > 10
