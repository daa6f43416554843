"""Reader and writer of test lists: one line for each image, action and ground truth.

A file of comma-separated values with a header, of tab-separated values, or of one JSON object a
line. Columns, in any order; others are left alone:

    image             path of the picture
    action, sentence  what is asked for: a name, or everyday English; one of the two
    mask, heatmap     paths of the part's mask and of the heat; at least one of the two
    object            class of the object shown, optional
    source            group that is reported apart, optional

Paths count from the folder of the file. Lines are read one at a time, so that memory does not grow
with the file.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from affordance_grounding_core.errors import DatasetError

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = (".jsonl", ".ndjson")
_REQUIRED = "image, action or sentence, mask or heatmap"


@dataclass(frozen=True)
class ManifestRow:
    """One line of a test list.

    Attributes:
        line: number of the line in the file, from 1.
        image: its picture.
        asked: name of an action, or a sentence.
        is_sentence: whether `asked` is everyday English, not a name.
        mask: picture of the part; None where only heat is known.
        heatmap: grey picture of the heat; None where only the part is known.
        object_name: class of the object shown, "" where nobody says.
        source: group that is reported apart, "" for none.
    """

    line: int
    image: Path
    asked: str
    is_sentence: bool
    mask: Path | None = None
    heatmap: Path | None = None
    object_name: str = ""
    source: str = ""


def read_manifest(path: str | Path) -> Iterator[ManifestRow]:
    """Read a test list line by line.

    Args:
        path: a .csv, .tsv, .jsonl or .ndjson file.

    Yields:
        Its rows, in order; at least one.

    Raises:
        DatasetError: the file cannot be read, has another ending or no row, or a line does not say
            what is needed; the line is named.
    """
    file = Path(path)
    ending = file.suffix.lower()
    if ending not in (*_SEPARATORS, *_JSON_LINES):
        raise DatasetError(
            f"manifest {str(file)!r} has the ending {ending!r}; expected .csv, .tsv, .jsonl or "
            ".ndjson"
        )
    empty = True
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            cells = _json_cells(file, stream) if ending in _JSON_LINES else _cells(file, stream)
            for line, values in cells:
                empty = False
                yield _row(file, line, values)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            f"manifest {str(file)!r} cannot be read ({error}); expected text in UTF-8"
        ) from error
    if empty:
        raise DatasetError(f"manifest {str(file)!r} has no row; expected {_REQUIRED}")


def write_manifest(path: Path, rows: Iterable[Mapping[str, str]]) -> int:
    """Write a test list as JSON lines; the file that was there stays until this one is complete.

    Args:
        path: file to write, ending in .jsonl.
        rows: values by column; paths from the folder of the file or absolute.

    Returns:
        How many rows were written.
    """
    count = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            for row in rows:
                stream.write(json.dumps(dict(row), ensure_ascii=False) + "\n")
                count += 1
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def _cells(file: Path, stream: TextIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(stream, delimiter=_SEPARATORS[file.suffix.lower()])
    columns = set(reader.fieldnames or ())
    asked, truths = columns & {"action", "sentence"}, columns & {"mask", "heatmap"}
    if not ("image" in columns and asked and truths):
        raise DatasetError(
            f"manifest {str(file)!r} has the columns {sorted(columns)}; expected {_REQUIRED}"
        )
    for values in reader:
        yield reader.line_num, values


def _json_cells(file: Path, stream: TextIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for line, text in enumerate(stream, start=1):
        if not text.strip():
            continue
        try:
            values = json.loads(text)
        except ValueError as error:
            raise _refused(file, line, f"is no JSON ({error})") from error
        if not isinstance(values, dict):
            raise _refused(file, line, f"is a {type(values).__name__}, not an object")
        yield line, values


def _row(file: Path, line: int, values: Mapping[str, Any]) -> ManifestRow:
    def text(name: str) -> str:
        value = values.get(name)
        if value is not None and not isinstance(value, str):
            raise _refused(file, line, f"has {name} {value!r}, which is no text")
        return (value or "").strip()

    def place(name: str) -> Path | None:
        return file.parent / text(name) if text(name) else None

    image, action, sentence = place("image"), text("action"), text("sentence")
    mask, heatmap = place("mask"), place("heatmap")
    if image is None:
        raise _refused(file, line, "names no image")
    if bool(action) == bool(sentence):
        raise _refused(file, line, f"has action {action!r} and sentence {sentence!r}, not just one")
    if mask is None and heatmap is None:
        raise _refused(file, line, "names neither a mask nor a heatmap")
    return ManifestRow(
        line,
        image,
        action or sentence,
        bool(sentence),
        mask,
        heatmap,
        text("object"),
        text("source"),
    )


def _refused(file: Path, line: int, what: str) -> DatasetError:
    return DatasetError(f"line {line} of manifest {str(file)!r} {what}; expected {_REQUIRED}")
