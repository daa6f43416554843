"""Every command of the pages is run, or is checked and says why it is not run here.

What is checked of a command that is not run: that the program, its command, the options, the launch
arguments, the message types and their fields, and the files of the repository exist.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from tests.docs.conftest import Run
from tools.first_steps.__main__ import PAGE, runnable
from tools.site.blocks import REPOSITORY, Block, blocks, pages
from tools.site.generate import commands

OURS = "affordance-grounding"

NOT_HERE = {
    "ros2": "comes with a ROS 2 distribution, not with its wheels",
    "make": "a target sets up, tests or measures for minutes",
    "pip": "changes the environment",
}
"""Programs that are checked and never run, with the reason."""

COVERED_BY = {"console": "tests/core/actions/test_free_text_page.py"}
"""Languages of blocks that another test runs."""

SHELL = [
    block for page in pages() for block in blocks(page) if block.language in ("bash", "console")
]
PYTHON = [
    block
    for page in pages()
    for block in blocks(page)
    if block.language == "python" and not block.reason and page != PAGE
]
FIRST_STEPS = str(PAGE.relative_to(REPOSITORY))
"""Page whose blocks are run as a shell runs them, by a test of their own."""

LINES = [(block, words) for block in SHELL for words in block.commands()]
RUN = [
    (page, [block for block in SHELL if block.page == page and not block.reason])
    for page in dict.fromkeys(block.page for block in SHELL)
    if page != FIRST_STEPS
]
OPTIONS = {
    path: {
        name for parameter in one.params for name in (*parameter.opts, *parameter.secondary_opts)
    }
    for path, one in commands()
}


def shown(line: tuple[Block, list[str]]) -> str:
    return f"{line[0].place} {' '.join(line[1])}"[:90]


def program(words: list[str]) -> str:
    return Path(words[0]).name


def test_every_block_says_its_language() -> None:
    silent = [block.place for page in pages() for block in blocks(page) if not block.language]
    assert not silent, "say what they hold behind the fence (text where it is no code)"


@pytest.mark.parametrize("line", LINES, ids=map(shown, LINES))
def test_every_command_is_one_that_its_program_has(line: tuple[Block, list[str]]) -> None:
    block, words = line
    if program(words) == OURS:
        check_ours(words[1:])
    elif words[:2] == ["python", "-m"]:
        check_module(words[2], words[3:])
    elif words[0] == "make":
        targets = re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.M)
        assert words[1] in targets
    elif words[:2] == ["ros2", "launch"] and words[2] == "affordance_grounding_ros":
        check_launch(words[3], words[4:])
    elif words[0] == "ros2" and words[1] in ("topic", "service", "action"):
        for kind, content in pairwise(words):
            if re.fullmatch(r"\w+/(msg|srv|action)/\w+", kind):
                check_message(kind, content)
    elif program(words) == "pip":
        check_extras(words)
    else:
        assert block.reason or words[0] in NOT_HERE or block.page == FIRST_STEPS, (
            f"{block.place}: the tests cannot run {words[0]!r}; say why in the line before the "
            "block: <!-- not run: REASON -->"
        )


def check_ours(words: list[str]) -> None:
    path = next((path for n in (2, 1) if (path := " ".join(words[:n])) in OPTIONS), words[0])
    if words[0] in ("--help", "--version"):
        return
    assert path in OPTIONS, f"no command {path!r}"
    for word in words:
        if path == "train" and word.startswith("config/"):
            assert (REPOSITORY / word).is_file()
        if path != "train" and re.match(r"--?[a-z]", word):
            assert word in OPTIONS[path] or word == "--help", f"{path} has no option {word}"


def check_module(name: str, options: list[str]) -> None:
    found = importlib.util.find_spec(name)
    assert found is not None
    folder = Path(str(found.origin)).parent
    text = "\n".join(file.read_text() for file in folder.glob("*.py"))
    own = options[: options.index("--")] if "--" in options else options
    if name.startswith("tools."):
        for option in (word for word in own if word.startswith("--")):
            assert f'"{option}"' in text, f"{name} has no option {option}"


def check_launch(file: str, arguments: list[str]) -> None:
    text = (REPOSITORY / "launch" / file).read_text()
    for argument in arguments:
        name = argument.partition(":=")[0]
        assert name == "--show-args" or f'"{name}"' in text, f"{file} has no argument {name}"


def check_message(kind: str, content: str) -> None:
    package, folder, name = kind.split("/")
    values = yaml.safe_load(content)
    if package == "affordance_grounding_ros":
        text, _, _ = (REPOSITORY / folder / f"{name}.{folder}").read_text().partition("\n---")
        for field in values:
            assert re.search(rf"^\S+ {field}$", text, re.M), f"{kind} has no field {field}"


def check_extras(words: list[str]) -> None:
    text = (REPOSITORY / "pyproject.toml").read_text()
    asked = re.findall(r"\[([a-z,-]+)\]", " ".join(words))
    for extra in ",".join(asked).split(","):
        assert not extra or re.search(rf"^{extra} = \[", text, re.M), f"no extra {extra}"


@pytest.mark.slow
@pytest.mark.parametrize(("page", "unmarked"), RUN, ids=[page for page, _ in RUN])
def test_the_commands_of_a_page_run(
    page: str, unmarked: list[Block], workplace: Path, run: Run
) -> None:
    lines = [
        (block, words)
        for block in unmarked
        if block.language not in COVERED_BY
        for words in block.commands()
        if words[0] not in NOT_HERE
    ]
    for block, words in lines:
        assert program(words) == OURS, f"{block.place}: say why {words[0]!r} is not run"
        assert run(words[1:]) == 0, shown((block, words))


@pytest.mark.slow
@pytest.mark.parametrize("block", PYTHON, ids=[block.place for block in PYTHON])
def test_the_python_of_a_page_runs(block: Block, workplace: Path) -> None:
    from affordance_grounding_core.images import read_rgb

    photograph = read_rgb(workplace / "mug.jpg")
    exec(compile(block.text, block.place, "exec"), {"image": photograph, "other": photograph})


@pytest.mark.slow
def test_the_first_steps_lead_from_a_photograph_to_a_taught_action_and_its_figures(
    workplace: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    for block in (one for one in runnable() if not one.reason):
        if block.language == "python":
            exec(compile(block.text, block.place, "exec"), {})
            continue
        for line in block.text.splitlines():
            words = shlex.split(line)
            if words[0] == OURS:
                assert run(words[1:]) == 0, line
            else:
                subprocess.run(["bash", "-c", line], check=True)
    said = capsys.readouterr().out
    assert re.search(r"mug2.jpg +scoop: found", said)
    assert (workplace / "report.json").is_file()
