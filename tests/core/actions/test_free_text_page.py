"""What README.md and docs/use/free_text.md say of commands is what the code answers."""

from __future__ import annotations

import csv
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from affordance_grounding_core.actions.phrases.stopping import is_stop
from affordance_grounding_core.actions.resolver import resolve_action
from affordance_grounding_core.actions.vocabulary import ActionVocabulary
from affordance_grounding_core.commands.actions import resolve_phrases
from affordance_grounding_core.errors import UnknownActionError
from affordance_grounding_core.loading import trained_vocabulary
from tools.free_text.__main__ import count, narrations

REPOSITORY = Path(__file__).parents[3]
PAGE = REPOSITORY / "docs/use/free_text.md"


class Words(NamedTuple):
    """As much of a grounder as the command `actions` asks."""

    vocabulary: ActionVocabulary

    def resolve(self, text: str) -> Any:
        return resolve_action(text, self.vocabulary)


@pytest.fixture(scope="module")
def words() -> Words:
    return Words(trained_vocabulary("default"))


def examples() -> Iterator[tuple[str, list[str], list[str]]]:
    """File, phrases and printed lines of each example of `affordance-grounding actions`."""
    for file in ("README.md", "docs/use/free_text.md"):
        text = (REPOSITORY / file).read_text(encoding="utf-8")
        for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
            command, *lines = block.splitlines()
            if command.startswith("$ affordance-grounding actions "):
                yield file, shlex.split(command)[3:], lines


def rows() -> Iterator[tuple[str, str]]:
    """First two columns of every table of what is said."""
    for table in re.findall(r"^\| (?:said|understood) \|.*?\n\n", PAGE.read_text(), re.M | re.S):
        for line in table.strip().splitlines()[2:]:
            said, meant = (cell.strip() for cell in line.strip("| ").split("|", 1))
            yield said, meant


def test_every_example_prints_what_it_shows(
    words: Words, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = list(examples())
    assert {file for file, _, _ in shown} == {"README.md", "docs/use/free_text.md"}
    for file, phrases, lines in shown:
        for phrase, line in zip(phrases, lines, strict=True):
            resolve_phrases(words, [phrase])
            said = "".join(capsys.readouterr()).rstrip("\n")
            begins = line.removesuffix("...")
            assert said.startswith(begins) if line.endswith("...") else said == line, file


def test_the_page_has_its_tables() -> None:
    assert len(list(rows())) >= 35
    assert {"turn the lid off", "open sesame", "stop", "close the drawer"} <= dict(rows()).keys()


@pytest.mark.parametrize(("said", "meant"), rows())
def test_every_row_of_the_page_is_true(words: Words, said: str, meant: str) -> None:
    if meant == "stop":
        assert is_stop(said)
    elif meant in words.vocabulary.names:
        assert words.resolve(said).action == meant
    else:
        reason = re.escape(meant.removeprefix("refused: "))
        with pytest.raises(UnknownActionError, match=reason):
            words.resolve(said)


def test_narrations_are_counted_by_what_their_class_asks_for(tmp_path: Path) -> None:
    classes, validation = tmp_path / "classes.csv", tmp_path / "validation.csv"
    verbs = ("take", "put", "mix", "remove")
    with classes.open("w", newline="") as file:
        csv.writer(file).writerows([("id", "key"), *enumerate(verbs)])
    said = [
        ("take-cup", 0), ("take cup", 0), ("put cup", 1), ("stir soup", 2), ("stir soup", 1),
        ("cup", 0), ("remove lid", 3), ("pour milk", 1), ("stir egg", 0),
    ]  # fmt: skip
    with validation.open("w", newline="") as file:
        csv.writer(file).writerows([("narration", "verb_class"), *said])
    counts = count(narrations(validation, classes), trained_vocabulary("default"))
    assert counts == {
        (True, "right"): 1,
        (True, "refused"): 1,
        (True, "wrong"): 1,
        (False, "right"): 1,
        (False, "wrong"): 1,
    }
