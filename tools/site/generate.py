"""The parts of the site that are made from the code: messages, command line, Python reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from affordance_grounding_core.commands.cli import app

REPOSITORY = Path(__file__).resolve().parents[2]

INTERFACES = ("msg", "srv", "action")
"""Folders of the ROS 2 interfaces, also their suffixes."""

REFERENCE = (
    "affordance_grounding_core.loading.load_grounder",
    "affordance_grounding_core.inference.grounder.Grounder",
    "affordance_grounding_core.inference.result",
    "affordance_grounding_core.inference.overlay.draw_overlay",
    "affordance_grounding_core.inference.overlay.OverlayConfig",
    "affordance_grounding_core.inference.regions.RegionConfig",
    "affordance_grounding_core.images.read_rgb",
    "affordance_grounding_core.actions.resolution.ActionResolution",
    "affordance_grounding_core.teaching.teacher.Teacher",
    "affordance_grounding_core.teaching.marks",
    "affordance_grounding_core.runtimes.request.RuntimeRequest",
    "affordance_grounding_core.errors",
)
"""What a caller needs, in this order."""


def interfaces() -> str:
    """The table between the marks of the README."""
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    _, _, rest = readme.partition("<!-- interfaces")
    table, end, _ = rest.partition("-->")[2].partition("<!-- end of interfaces -->")
    if not end:
        raise ValueError("README.md must hold its table between the marks 'interfaces'")
    return table.strip()


def messages() -> str:
    """Every interface file as it stands: the comments are its documentation."""
    parts = []
    for kind in INTERFACES:
        for path in sorted((REPOSITORY / kind).glob(f"*.{kind}")):
            text = path.read_text(encoding="utf-8").strip()
            parts.append(f"### {path.stem} ({kind})\n\n```text\n{text}\n```")
    return "\n\n".join(parts)


def command_line() -> str:
    """Every command with its arguments and options."""
    return "\n\n".join(_command(path, command) for path, command in commands())


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something: its words after the program's name, and itself."""
    yield from _below("", typer.main.get_command(app))


def _below(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(command, TyperGroup):
        yield path, command
        return
    if command.invoke_without_command:
        yield path, command
    for name, one in command.commands.items():
        yield from _below(f"{path} {name}".strip(), one)


def _command(path: str, command: Any) -> str:
    context = command.make_context(path, [], resilient_parsing=True)
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f"### {path}", "", f"```text\naffordance-grounding {path} {usage}\n```", ""]
    lines += [(command.help or "").strip(), ""]
    records = [parameter.get_help_record(context) for parameter in command.params]
    rows = [f"| `{_cell(names)}` | {_cell(text)} |" for names, text in filter(None, records)]
    if rows:
        lines += ["| option | |", "|---|---|", *rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def reference() -> str:
    """Directives of mkdocstrings."""
    return "\n\n".join(f"::: {name}" for name in REFERENCE)


PARTS: Mapping[str, Callable[[], str]] = {
    "interfaces": interfaces,
    "messages": messages,
    "command line": command_line,
    "reference": reference,
}
"""By the name in a page's mark `<!-- include: NAME -->`."""
