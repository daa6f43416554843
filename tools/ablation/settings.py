"""The settings that are compared, in the order of the paper's ablation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """One way to train.

    Attributes:
        name: of its folder.
        title: in the table.
        prototypes: level of the prototype loss.
        pixels: level of the pixel loss.
    """

    name: str
    title: str
    prototypes: str
    pixels: str

    def options(self) -> list[str]:
        """Options of `affordance-grounding train` that make the difference."""
        contrast = "--model.objective.contrast"
        return [f"{contrast}.prototypes={self.prototypes}", f"{contrast}.pixels={self.pixels}"]


SETTINGS = (
    Setting("classification", "classification only", "none", "none"),
    Setting("object_prototypes", "+ object prototypes", "object", "none"),
    Setting("part_prototypes", "+ part prototypes", "part", "none"),
    Setting("pixels", "+ pixels", "part", "part"),
)
"""Each adds to the one before it."""
