"""Answer of a grounder: heatmap, mask and regions in image coordinates."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.actions.resolution import ActionResolution


@dataclass(frozen=True)
class Box:
    """Axis-aligned box in whole pixels; `x`, `y` is the top-left pixel it contains."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class OrientedBox:
    """Smallest rotated rectangle around a region.

    Attributes:
        center_x: px, the centre of the top-left pixel is (0, 0).
        center_y: px.
        length: px, long side.
        width: px, short side.
        angle: rad, long side against image +x, positive towards +y, in (-pi/2, pi/2].
    """

    center_x: float
    center_y: float
    length: float
    width: float
    angle: float


@dataclass(frozen=True)
class AffordanceRegion:
    """One connected image region that affords the action.

    Attributes:
        box: axis-aligned box.
        oriented_box: smallest rotated rectangle.
        centroid: heat-weighted centre (x, y) in px.
        area: number of pixels.
        score: highest heat within the region, in [0, 1].
        mask: (box.height, box.width) bool, which pixels of the box belong to the region.
    """

    box: Box
    oriented_box: OrientedBox
    centroid: tuple[float, float]
    area: int
    score: float
    mask: NDArray[np.bool_] = field(compare=False, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for `json.dump`; without the mask, which is a picture."""
        return {
            "box": asdict(self.box),
            "oriented_box": asdict(self.oriented_box),
            "centroid": self.centroid,
            "area": self.area,
            "score": self.score,
        }


@dataclass(frozen=True)
class GroundingResult:
    """Answer of `Grounder.ground` for one image and action.

    Attributes:
        heatmap: (H, W) float32 in [0, 1], finite, comparable between frames.
        mask: (H, W) bool, union of the regions.
        regions: best score first; empty if the action is not afforded.
        action: vocabulary entry the request was resolved to.
        score: highest value of the heatmap.
        threshold: heat at or above which a place is found; see `RegionConfig`.
        found: whether there is at least one region.
        seconds: time spent in preprocessing, network and region extraction.
        resolution: how `action` was found from the request; None where a result was made by hand.
    """

    heatmap: NDArray[np.float32]
    mask: NDArray[np.bool_]
    regions: list[AffordanceRegion]
    action: str
    score: float
    threshold: float
    found: bool
    seconds: float
    resolution: ActionResolution | None = None
