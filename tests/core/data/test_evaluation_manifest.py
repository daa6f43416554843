"""Test lists: what their lines say, what is refused, and that memory does not grow with them."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from affordance_grounding_core.data.evaluation_manifest import (
    ManifestRow,
    read_manifest,
    write_manifest,
)
from affordance_grounding_core.errors import DatasetError


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "separator"), [("list.csv", ","), ("list.TSV", "\t")])
def test_a_table_is_read_line_by_line(tmp_path: Path, name: str, separator: str) -> None:
    lines = [
        ["note", "image", "action", "sentence", "mask", "heatmap", "object", "source"],
        ["x", "a/1.jpg", "hold", "", "m/1.png", "", "mug", "kitchen"],
        ["", "/b/2.jpg", "", '"Grab, gently, the mug"', "", "h/2.png", "", ""],
    ]
    text = "\ufeff" + "\n".join(separator.join(line) for line in lines) + "\n"
    first, second = read_manifest(write(tmp_path, name, text))
    assert first == ManifestRow(
        2,
        tmp_path / "a/1.jpg",
        "hold",
        False,
        tmp_path / "m/1.png",
        None,
        "mug",
        "kitchen",
    )
    assert second == ManifestRow(
        3, Path("/b/2.jpg"), "Grab, gently, the mug", True, None, tmp_path / "h/2.png"
    )


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    rows = [
        {"image": "1.jpg", "sentence": "hold the Käsemesser", "mask": "1.png", "object": "knife"},
        {"image": "2.jpg", "action": "hold", "heatmap": "2.png"},
    ]
    path = tmp_path / "new" / "list.jsonl"
    assert write_manifest(path, iter(rows)) == 2
    first, second = read_manifest(path)
    assert (first.asked, first.is_sentence, first.object_name) == (
        "hold the Käsemesser",
        True,
        "knife",
    )
    assert (second.asked, second.is_sentence) == ("hold", False)
    assert [entry.name for entry in path.parent.iterdir()] == ["list.jsonl"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.txt", "image", "ending '.txt'; expected .csv"),
        ("l.csv", "image,action,msk\n1.jpg,hold,1.png\n", r"columns \['action', 'image', 'msk'\]"),
        ("l.csv", "image,action,mask\n", "has no row"),
        ("l.csv", "image,action,mask\n,hold,1.png\n", "line 2 .* names no image"),
        ("l.csv", "image,action,mask\n1.jpg,,1.png\n", "line 2 .* action '' and sentence ''"),
        ("l.csv", "image,action,mask\n1.jpg,hold\n", "line 2 .* neither a mask nor a heatmap"),
        ("l.jsonl", '{"image": "1.jpg"\n', "line 1 .* is no JSON"),
        ("l.jsonl", "\n[1]\n", "line 2 .* is a list, not an object"),
        ("l.jsonl", '{"image": 5, "action": "hold", "mask": "m"}', "image 5, which is no text"),
        (
            "l.jsonl",
            '{"image": "1", "action": "hold", "sentence": "hold it", "mask": "m"}',
            "not just one",
        ),
    ],
)
def test_what_does_not_say_enough_is_refused_by_line(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        list(read_manifest(write(tmp_path, name, text)))


def test_a_file_that_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_bytes(b"image,action,mask\n\xff\xfe\xff,hold,m\n")
    with pytest.raises(DatasetError, match="expected text in UTF-8"):
        list(read_manifest(tmp_path / "l.csv"))
    with pytest.raises(DatasetError, match="cannot be read"):
        list(read_manifest(tmp_path / "none.csv"))


def peak_memory(path: Path) -> int:
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_manifest(path)) > 0
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["list.csv", "list.jsonl"])
def test_memory_does_not_grow_with_the_list(tmp_path: Path, name: str) -> None:
    line = json.dumps({"image": "1.jpg", "action": "hold", "mask": "1.png"})
    head = "" if name.endswith("jsonl") else "image,action,mask\n"
    row = line if name.endswith("jsonl") else "1.jpg,hold,1.png"
    short = write(tmp_path, f"short_{name}", head + f"{row}\n" * 1_000)
    long = write(tmp_path, f"long_{name}", head + f"{row}\n" * 20_000)
    assert long.stat().st_size > 300_000
    assert peak_memory(long) < peak_memory(short) + 50_000
