"""Egocentric pictures: an object among other things, nobody using it. Runs in Blender."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from render_affordances.cameras.photograph import develop
from render_affordances.meshes.model import ObjectModel
from render_affordances.scenes.arrangement import Arrangement, arrange
from render_affordances.scenes.environment import build_environment
from render_affordances.scenes.interiors import Item
from render_affordances.scenes.scene import (
    Placed,
    add_object,
    new_scene,
    render_parts,
    render_rgb,
    set_camera,
)

SMALLEST = 0.003
"""Least visible area of a part, as a share of the picture."""

SMALLEST_IN_ROOMS = 0.0015
"""The same in interiors and of compositions, where things are seen from farther off."""

LEAST_VISIBLE = 0.7
"""Least share of a part's own outline that clutter must leave in sight."""

LEAST_VISIBLE_SEAT = 0.45
"""The same of a seat, which tables and cushions often hide."""

IN_FRAME = 0.93
"""Least share of a part's vertices that the picture's border must not cut off."""

SEVERAL_IN_FRAME = 0.4
"""The same where there are several of them: one of two pulls is enough."""

ATTEMPTS = 12

OPENWORK = frozenset({"bench", "keyboard", "laptop", "racket", "toothbrush", "whisk"})
"""Classes with parts of wires, bristles, keys or slats: their masks take in the gaps between."""

GAP = 0.045
"""Widest gap that is closed, as a share of the picture's side."""

GAP_OF_MEMBERS = 0.012
"""The same in compositions, where keys and slats are seen from farther off."""


@dataclass(frozen=True)
class Shot:
    """A picture with its part masks.

    Attributes:
        picture: (H, W, 3) uint8, RGB.
        masks: action to the mask of the parts that afford it, (H, W) bool; only actions whose
            parts are well in sight.
        details: setting, camera, areas and so on, ready for JSON.
        rejections: why earlier attempts were thrown away, and how often.
    """

    picture: NDArray[np.uint8]
    masks: dict[str, NDArray[np.bool_]]
    details: dict[str, Any]
    rejections: Counter[str]


class NoArrangementError(RuntimeError):
    """No arrangement showed any part of an object well enough.

    Attributes:
        rejections: why the arrangements were thrown away, and how often.
    """

    def __init__(self, message: str, rejections: Counter[str]) -> None:
        super().__init__(message)
        self.rejections = rejections


def take_egocentric(model: ObjectModel, random: Generator, resolution: int, samples: int) -> Shot:
    """Arrange, check and render a picture of an object.

    An arrangement in which a part is cropped, hidden or tiny is thrown away before it is
    rendered. The later attempts come nearer, have less clutter and put up with fewer actions in
    sight.

    Args:
        model: the object.
        random: decides everything.
        resolution: side of the picture in px.
        samples: light paths a pixel.

    Raises:
        NoArrangementError: no arrangement showed any part well enough.
    """
    rejections: Counter[str] = Counter()
    for attempt in range(ATTEMPTS):
        crowding = max(0.0, 1.0 - attempt / 6)
        arrangement = arrange(model, random, crowding, closeness=attempt / ATTEMPTS)
        new_scene()
        subject = _build(arrangement)
        masks, reasons = _visible_masks(arrangement, subject, resolution)
        rejections.update(reasons)
        complete = len(masks) == len(model.affords)
        patience = 0 if model.members else 1 if arrangement.setting == "interior" else 4
        if complete or (masks and attempt >= patience):
            build_environment(arrangement, random)
            light = render_rgb(resolution, samples, int(random.integers(1 << 30)))
            picture = develop(light, random)
            return Shot(picture, masks, _details(arrangement, masks), rejections)
    raise NoArrangementError(
        f"{model.name} ({model.family}) showed no part well in {ATTEMPTS} arrangements: "
        f"{dict(rejections)}",
        rejections,
    )


def _build(arrangement: Arrangement) -> Placed:
    around = (
        arrangement.clutter
        if arrangement.room is None
        else (*arrangement.clutter, arrangement.room)
    )
    placed = [_add(item) for item in (arrangement.subject, *around)]
    for distractor in placed[1:]:
        for one in distractor.objects:
            values = one.data.attributes["part"].data
            values.foreach_set("value", np.zeros(len(values), dtype=np.float32))
    set_camera(arrangement.camera, _focus(arrangement), arrangement.f_number or 8.0)
    return placed[0]


def _add(item: Item) -> Placed:
    return add_object(item.model, item.rotation, item.shift)


def _focus(arrangement: Arrangement) -> float | None:
    return None if arrangement.f_number is None else arrangement.focus


def _visible_masks(
    arrangement: Arrangement, subject: Placed, resolution: int
) -> tuple[dict[str, NDArray[np.bool_]], Counter[str]]:
    """Masks of the actions whose parts are in sight, and why others are not."""
    seen = render_parts(resolution)
    alone = render_parts(resolution, only=subject.objects) if arrangement.clutter else seen
    masks: dict[str, NDArray[np.bool_]] = {}
    reasons: Counter[str] = Counter()
    model = subject.model
    for action in model.affords:
        ids = model.part_ids(action)
        mask = np.isin(seen, ids)
        if model.name in OPENWORK or model.members:
            mask = _closed(mask, GAP if not model.members else GAP_OF_MEMBERS)
        part = model.part_vertices(*ids) @ subject.rotation.T + subject.shift
        needed = SEVERAL_IN_FRAME if _is_several(model, action) else IN_FRAME
        far = arrangement.setting == "interior" or model.members
        smallest = SMALLEST_IN_ROOMS if far else SMALLEST
        least = LEAST_VISIBLE_SEAT if action == "sit_on" else LEAST_VISIBLE
        if not model.members and arrangement.camera.share_in_frame(part) < needed:
            reasons["cropped"] += 1
        elif mask.mean() < smallest:
            reasons["tiny or turned away"] += 1
        elif mask.sum() < least * np.isin(alone, ids).sum():
            reasons["hidden"] += 1
        else:
            masks[action] = mask
    return masks, reasons


def _is_several(model: ObjectModel, action: str) -> bool:
    """Whether there are several pulls, knobs or buttons, each of which affords the action."""
    grips = model.grips[action]
    return len(grips) > 1 and grips[0].grasp in ("hook", "push", "twist")


def _closed(mask: NDArray[np.bool_], gap: float) -> NDArray[np.bool_]:
    side = max(round(gap * len(mask)), 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    padded = np.pad(mask.astype(np.uint8), side)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)[side:-side, side:-side]
    return np.asarray(closed > 0)


def _details(arrangement: Arrangement, masks: dict[str, NDArray[np.bool_]]) -> dict[str, Any]:
    return {
        "setting": arrangement.setting,
        "family": arrangement.subject.model.family,
        "clutter": [item.model.name for item in arrangement.clutter],
        "camera": arrangement.camera_details(),
        "areas": {action: round(float(mask.mean()), 5) for action, mask in masks.items()},
    }
