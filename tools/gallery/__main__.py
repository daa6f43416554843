"""Make the gallery of the README.

    python -m tools.gallery --output docs/images --renders ROOT

Writes gallery.jpg, one contact sheet, and gallery.json with what every picture shows. Failures are
chosen as the typical pictures are: by their scores, nobody picks them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_core.files import replace_file, replace_json
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.loading import add_taught, load_grounder
from tools.gallery.photographs import orientation_cells, photograph_cells, unjudged_cells
from tools.gallery.renders import render_cells
from tools.gallery.sheet import Section, draw_sheet, encode_jpeg

PICTURE, CONTENT = "gallery.jpg", "gallery.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the gallery; returns the exit code."""
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    try:
        grounder = load_grounder(options.model, options.runtime)
        sections = make_sections(grounder, options.renders, options.failures)
        if options.taught is not None:
            sections.append(taught_section(grounder, options.taught))
        picture = encode_jpeg(draw_sheet(sections, options.columns), 1000 * options.kilobytes)
    except (AffordanceGroundingError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    replace_file(options.output / PICTURE, picture)
    content = {
        "model": grounder.information.name,
        "fingerprint": grounder.information.fingerprint,
        "sections": [
            {
                "heading": section.heading,
                "note": section.note,
                "pictures": [cell.as_dict() for cell in section.cells],
            }
            for section in sections
        ],
    }
    replace_json(options.output / CONTENT, content)
    for section in sections:
        failed = sum(cell.failed for cell in section.cells)
        print(f"{section.heading}: {len(section.cells)} pictures, {failed} of them failures")
    print(f"{options.output / PICTURE}: {len(picture) / 1000:.0f} kB")
    return 0


def make_sections(grounder: Grounder, renders: Path | None, failures: int) -> list[Section]:
    """Ask the model everything that the gallery shows.

    Args:
        grounder: to ask.
        renders: root of a test set in AGD20K layout; None for photographs alone.
        failures: how many failures on it are shown at most.
    """
    sections = [
        Section(
            "Photographs",
            photograph_cells(grounder),
            "Right is an answer whose hottest pixel lies in a place marked by hand.",
        )
    ]
    sections.append(
        Section(
            "A cup of coffee, seen by eight cameras: where to hold it, with looks at all turns",
            orientation_cells(grounder),
            "Right is an answer whose hottest pixel lies on the handle.",
        )
    )
    if renders is not None:
        chosen = render_cells(grounder, renders, failures)
        sections.append(
            Section("Rendered test pictures: the median of each action", chosen.typical)
        )
        sections.append(
            Section("Rendered test pictures: the worst failures", chosen.failures, chosen.note)
        )
    return sections


def taught_section(grounder: Grounder, file: Path) -> Section:
    """Ask about the photographs what a user has taught; nobody judges that.

    Args:
        grounder: that takes the taught actions into its vocabulary.
        file: of taught actions.
    """
    trained = set(grounder.actions)
    add_taught(grounder, file)
    taught = [action for action in grounder.actions if action not in trained]
    return Section("Taught actions", unjudged_cells(grounder, taught), "Not judged.")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.gallery",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    parser.add_argument("--renders", type=Path, help="root of a test set in AGD20K layout")
    parser.add_argument("--model", default="default", help="name of a model or checkpoint folder")
    parser.add_argument("--taught", type=Path, help="file of taught actions to show, too")
    parser.add_argument("--runtime", default="eager", help="what runs it; eager is reproducible")
    parser.add_argument("--failures", type=int, default=6, help="failures on renders, at most")
    parser.add_argument("--columns", type=int, default=6, help="pictures in a row")
    parser.add_argument("--kilobytes", type=int, default=300, help="largest size of the picture")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
