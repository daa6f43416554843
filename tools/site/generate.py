"""The parts of the site that are made from the code: messages, command line, Python reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

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
    inner: Mapping[str, Any] = getattr(command, "commands", {})
    if not inner or command.invoke_without_command:
        yield path, command
    for name, one in inner.items():
        yield from _below(f"{path} {name}".strip(), one)


def _command(path: str, command: Any) -> str:
    context = command.make_context(path, [], resilient_parsing=True)
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f"### {path}", "", f"```text\naffordance-grounding {path} {usage}\n```", ""]
    lines += [(command.help or "").strip(), ""]
    rows = [_row(parameter, context) for parameter in command.params]
    rows = [row for row in rows if row]
    if rows:
        lines += ["| option | default | |", "|---|---|---|", *rows]
    return "\n".join(lines)


def _row(parameter: Any, context: Any) -> str:
    if parameter.param_type_name == "argument":
        names, text = parameter.make_metavar(context), getattr(parameter, "help", "") or ""
        return f"| `{_cell(names)}` | | {_cell(text)} |"
    if parameter.hidden:
        return ""
    default = parameter.get_default(context)
    shown = "" if default in (None, False, (), []) else f"`{_cell(str(default))}`"
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    value = "" if parameter.is_flag else f" {parameter.make_metavar(context)}"
    needed = "needed" if parameter.required else shown
    return f"| `{_cell(names + value)}` | {needed} | {_cell(parameter.help or '')} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


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
