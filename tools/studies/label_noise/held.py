"""Labels of held tools as a segmenter gives them: the whole object, before and after refinement."""

from __future__ import annotations

import shutil
from pathlib import Path

from affordance_grounding_core.data.agd20k import TrainingSet
from affordance_grounding_core.data.part_masks import MASK_FOLDERS
from affordance_grounding_core.files import replace_file
from affordance_grounding_core.labelling.store import encode_mask
from tools.studies.held_tools import HELD_OBJECTS, held_images, whole_objects

REFINED_FOLDER, FIRST_FOLDER = MASK_FOLDERS


def mark_whole_objects(training: TrainingSet, labels: Path) -> int:
    """Replace the labels of held tools by their whole object.

    A tool with a single marked part keeps its label: its parts are not the whole object.

    Args:
        training: with exact part masks.
        labels: folder with `PL/ACTION/OBJECT/NAME_pl.png`.

    Returns:
        How many labels were replaced.

    Raises:
        InvalidImageError: a mask cannot be read.
        OSError: a label cannot be written.
    """
    wholes = whole_objects(training, HELD_OBJECTS)
    count = 0
    for item in held_images(training, HELD_OBJECTS):
        whole = wholes.get((item.object_name, item.image.stem))
        if whole is not None:
            name = f"{item.image.stem}_pl.png"
            place = labels / FIRST_FOLDER / item.action / item.object_name / name
            replace_file(place, encode_mask(whole))
            count += 1
    return count


def use_refined(refined: Path, labels: Path) -> int:
    """Put refined labels beside the first ones, where training looks before it takes those.

    Args:
        refined: folder of a refinement; its manifest stays there, since the other settings of
            the study have none.
        labels: folder to train from.

    Returns:
        How many there are; all other labels are still the first ones.

    Raises:
        OSError: a label cannot be copied.
    """
    source, target = refined / REFINED_FOLDER, labels / REFINED_FOLDER
    shutil.rmtree(target, ignore_errors=True)  # of an interrupted run with another refinement
    files = sorted(source.rglob("*_pl.png"))
    for file in files:
        replace_file(target / file.relative_to(source), file.read_bytes())
    return len(files)
