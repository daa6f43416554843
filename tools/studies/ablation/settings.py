"""The settings that are compared, in the order of the paper's ablation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from affordance_grounding_core.data.agd20k import read_training_set


@dataclass(frozen=True)
class Setting:
    """One way to train.

    Attributes:
        name: of its folder.
        title: in the table.
        prototypes: level of the prototype loss.
        pixels: level of the pixel loss.
        part_labels: whether the part masks of the data are learned from too.
        part_map_weight: of the divergence of class maps from part masks.
    """

    name: str
    title: str
    prototypes: str
    pixels: str
    part_labels: bool = False
    part_map_weight: float = 0.0

    def options(self, root: Path) -> list[str]:
        """Options of `affordance-grounding train` that make the difference.

        Args:
            root: of the data, where part masks lie in `trainset/PL`.

        Raises:
            DatasetError: part masks are asked for, and the data cannot be read.
        """
        contrast = "--model.objective.contrast"
        options = [f"{contrast}.prototypes={self.prototypes}", f"{contrast}.pixels={self.pixels}"]
        if self.part_labels:
            options.append(f"--data.part_labels={read_training_set(root).folder}")
            options.append(f"--model.objective.part_map_weight={self.part_map_weight}")
        return options


SETTINGS = (
    Setting("classification", "classification only", "none", "none"),
    Setting("object_prototypes", "+ object prototypes", "object", "none"),
    Setting("part_prototypes", "+ part prototypes", "part", "none"),
    Setting("pixels", "+ pixels", "part", "part"),
)
"""Each adds to the one before it."""

LABELLED_SETTINGS = (
    Setting("both_contrast", "both as one, contrast alone", "part", "part", part_labels=True),
    Setting("both", "both as one", "part", "part", part_labels=True, part_map_weight=7.0),
)
"""SelectiveCL's contrast with part masks as its reliable clue; a stronger supervision."""

BY_NAME: Mapping[str, Setting] = {
    setting.name: setting for setting in (*SETTINGS, *LABELLED_SETTINGS)
}
