"""The dataset card that lies beside the pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HEAD = """# Rendered affordances

Pictures of everyday objects and the parts that afford actions, rendered from parametric models
by `tools/render_affordances` of affordance_grounding_ros. The folders are those of AGD20K.

| setting | value |
|---|---|
"""

_BODY = """
## What it is

- `trainset/egocentric`: an object among other things, labelled with an action by its folder.
- `trainset/exocentric`: the same kinds of objects in use: a hand on the part, and what a tool
  acts on.
- `testset`: other instances of the classes; `GT` is the part mask blurred by AGD20K's rule
  (Gaussian, odd kernel int(sqrt(height * width) / 3)), `PL` the exact mask.
- `trainset/PL`: exact part masks of the training pictures. A run that claims to learn from
  image-level labels alone must not read them.
- `Seen` trains and tests on all classes; `Unseen` tests on classes that its training set lacks.
- A picture that shows several affordances lies in the folder of each, under the same name.
- `manifest.json` names for every picture its seed, class, shape family, instance, setting,
  camera, visible areas and how many arrangements were rejected, and why.

## What it is not

- It is not AGD20K, and figures measured on it are never comparable with figures on AGD20K.
- It is not photographs: shapes, materials and light are plain. Whether something learnt here
  carries over to photographs has to be measured on photographs.
- A label says which part affords the pictured action by the modeller's judgement, not by that
  of annotators. Other parts may afford it too (a mug can be held by its body).
- Nothing in the surroundings affords the labelled action by the same list of classes; some
  neutral things (a ball, a book) can of course be held.
- People are a hand, and here and there a plain doll: the pictures say nothing about people.

## Licences

| what | licence |
|---|---|
| shapes, textures, arrangement | made by the tool's code (Apache-2.0), nothing of others |
| environment maps (light, some backgrounds) | Poly Haven, Greg Zaal: CC0, come with Blender |
| hand (exocentric pictures) | `@webxr-input-profiles/assets` 1.0.20, MIT |
| Blender, as the renderer | GPL; it lays no claim to what it renders |
"""


def dataset_card(settings: Mapping[str, Any], counts: Mapping[str, Any]) -> str:
    """Describe a benchmark.

    Args:
        settings: of the run, by name.
        counts: of the manifest.

    Returns:
        Markdown.
    """
    lines = [f"| {name} | {value} |" for name, value in settings.items()]
    lines += [
        f"| pictures | {counts['pictures']} |",
        f"| pictures that could not be made | {counts['failed']} |",
    ]
    lines += [f"| rejected: {why} | {count} |" for why, count in counts["rejections"].items()]
    tables = [_pairs(kind, found) for kind, found in counts["pairs"].items()]
    return _HEAD + "\n".join(lines) + "\n" + "".join(tables) + _BODY


def _pairs(kind: str, found: Mapping[str, int]) -> str:
    """Table of one kind of pictures: action to its objects."""
    by_action: dict[str, list[str]] = {}
    for pair, count in found.items():
        action, name = pair.split("/")
        by_action.setdefault(action, []).append(f"{name} {count}")
    rows = [f"| {action} | {', '.join(names)} |" for action, names in sorted(by_action.items())]
    total = sum(found.values())
    return (
        f"\n## {kind}: {total} labelled\n\n| action | objects |\n|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )
