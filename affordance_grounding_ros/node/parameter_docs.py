"""Writes what is documented of parameters and interfaces: config/grounder.yaml and two tables.

    python -m affordance_grounding_ros.parameter_docs --write

Without --write nothing is changed, and the exit code says whether both are as they should be.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from pathlib import Path

import yaml

from affordance_grounding_ros.common.parameters import ParameterSpecification, ParameterTable
from affordance_grounding_ros.node import interfaces
from affordance_grounding_ros.node.settings import PARAMETERS

BEGIN = "<!-- parameters, by `python -m affordance_grounding_ros.parameter_docs --write` -->"
END = "<!-- end of parameters -->"
INTERFACES_BEGIN = BEGIN.replace("parameters,", "interfaces,")
INTERFACES_END = END.replace("parameters", "interfaces")

PAGE = Path("docs", "robot", "parameters.md")
"""Page that holds the table of parameters, in the repository."""

README = Path("README.md")
"""Page that holds the table of interfaces."""

_YAML_HEADER = """\
# Every parameter of the grounder with its default. Copy this file, change what you need, and give
# it to the node: `ros2 launch affordance_grounding_ros grounder.launch.py params_file:=FILE`, or
# `--ros-args --params-file FILE`.
#
# '/**' stands for a node of any name in any namespace.
/**:
  ros__parameters:
"""


def yaml_file(table: ParameterTable) -> str:
    """The parameter file with every default.

    Args:
        table: parameters of the node.
    """
    return _YAML_HEADER + "\n".join(_yaml_entry(row) for row in table.specifications.values())


def _yaml_entry(row: ParameterSpecification) -> str:
    limits = f", {row.constraints}" if row.constraints else ""
    text = f"{row.description} ({row.type_name}{limits}; takes effect {row.when})"
    comment = textwrap.fill(
        text, 94, initial_indent="    # ", subsequent_indent="    # ", break_on_hyphens=False
    )
    return f"{comment}\n    {row.name}: {_yaml_value(row)}\n"


def _yaml_value(row: ParameterSpecification) -> str:
    style = '"' if isinstance(row.default, str) else None
    text: str = yaml.safe_dump(row.default, default_style=style)
    return text.removesuffix("...\n").strip()


def markdown_table(table: ParameterTable) -> str:
    """Lays the parameters out as a table.

    Args:
        table: parameters of the node.
    """
    lines = ["| parameter | type | default | takes effect | |", "|---|---|---|---|---|"]
    for row in table.specifications.values():
        limits = f" ({row.constraints})" if row.constraints else ""
        cells = (
            f"`{row.name}`",
            row.type_name,
            f"`{_yaml_value(row)}`",
            row.when,
            f"{row.description}{limits}".replace("|", "\\|"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def with_parameters(page: str, table: ParameterTable) -> str:
    """Puts the table of parameters between the two marks of a page.

    Args:
        page: text that holds both marks.
        table: parameters of the node.

    Raises:
        ValueError: a mark is missing or there twice.
    """
    return _between(page, PAGE, BEGIN, END, markdown_table(table))


def with_interfaces(page: str) -> str:
    """Puts the table of topics, services and actions between the two marks of a page.

    Args:
        page: text that holds both marks.

    Raises:
        ValueError: a mark is missing or there twice.
    """
    return _between(page, README, INTERFACES_BEGIN, INTERFACES_END, interfaces.markdown_table())


def _between(page: str, path: Path, begin: str, end: str, text: str) -> str:
    if page.count(begin) != 1 or page.count(end) != 1:
        raise ValueError(
            f"{path} must hold the lines '{begin}' and '{end}' once each; put them where the "
            "table belongs"
        )
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n\n{text}\n{end}{after}"


def main(arguments: list[str] | None = None) -> int:
    """Compare or write the files.

    Args:
        arguments: command line, the process's own where None.

    Returns:
        Exit code: 0 if the files are as they should be, or have been made so; 1 otherwise.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--write", action="store_true", help="change the files")
    parser.add_argument(
        "--root", type=Path, default=Path.cwd(), help="folder of the repository (default: here)"
    )
    options = parser.parse_args(arguments)
    page, readme = options.root / PAGE, options.root / README
    config = options.root / "config" / "grounder.yaml"
    try:
        wanted = {
            page: with_parameters(page.read_text(encoding="utf-8"), PARAMETERS),
            readme: with_interfaces(readme.read_text(encoding="utf-8")),
            config: yaml_file(PARAMETERS),
        }
        differing = [
            path
            for path, text in wanted.items()
            if not path.is_file() or path.read_text(encoding="utf-8") != text
        ]
        if options.write:
            for path in differing:
                path.write_text(wanted[path], encoding="utf-8")
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for path in differing:
        print(f"{'wrote' if options.write else 'differs from the tables:'} {path}")
    return 1 if differing and not options.write else 0


if __name__ == "__main__":
    raise SystemExit(main())
