"""Soft part labels of egocentric pictures, from image-level labels alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.methods.action_head.weak.config import WeakLabelConfig
from affordance_grounding_core.methods.action_head.weak.contact import Contact, learn_contact
from affordance_grounding_core.methods.action_head.weak.foreground import (
    Foreground,
    learn_foreground,
)
from affordance_grounding_core.methods.action_head.weak.gaussians import Metric
from affordance_grounding_core.methods.action_head.weak.hands import part_hands
from affordance_grounding_core.methods.action_head.weak.objects import ObjectModel
from affordance_grounding_core.methods.action_head.weak.pictures import (
    Pictures,
    grid_side,
    places,
)

_CLIP = 2.5  # standard deviations of evidence
_REST = 0.3  # what belongs to no part: evidence, in standard deviations


@dataclass(frozen=True)
class PartLabeller:
    """Says which patches of an egocentric picture afford which action.

    Attributes:
        foreground: tells objects from background.
        contact: tells parts at the hand from the rest.
        objects: tells classes of objects from each other.
        metric: of object patches around the mean of their object.
        config: how it was learned.
    """

    foreground: Foreground
    contact: Contact
    objects: ObjectModel
    metric: Metric
    config: WeakLabelConfig

    def label(
        self, patches: torch.Tensor, number: int, actions: Sequence[str]
    ) -> dict[str, torch.Tensor]:
        """Share an object out among the actions of its class.

        Args:
            patches: (N, C) float32 of one picture.
            number: of the class of its object.
            actions: that the class affords.

        Returns:
            Action to (N,) float32 in [0, 1]. Actions of which the pictures showed nothing are
            spread over the object.
        """
        cleaned, inside = self._object(patches, number)
        evidence = [self._evidence(cleaned, inside, number, action) for action in actions]
        rest = torch.full((len(patches),), _REST)
        shares = torch.softmax(self.config.sharpness * torch.stack([*evidence, rest]), dim=0)
        peaked = shares[:-1] ** self.config.contrast * inside
        return dict(zip(actions, peaked, strict=True))

    def evidence(self, patches: torch.Tensor, number: int, action: str) -> torch.Tensor:
        """Say how much each patch of a picture looks like the part of an action.

        Args:
            patches: as for `label`.
            number: likewise.
            action: its name.

        Returns:
            (N,) float32 in standard deviations over the object; 0 for what was never shown.
        """
        cleaned, inside = self._object(patches, number)
        return self._evidence(cleaned, inside, number, action)

    def knows(self, action: str) -> bool:
        """Say whether exocentric pictures taught anything of an action."""
        tool = action in self.config.tool_actions
        return (self.config.grip_action if tool else action) in self.contact.shared

    def _object(self, patches: torch.Tensor, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        centred = self.foreground.centred(patches[None])[0]
        inside = self.objects.mask(centred, self.foreground(patches), number)
        return self.contact.cleaned(centred), inside

    def _evidence(
        self, cleaned: torch.Tensor, inside: torch.Tensor, number: int, action: str
    ) -> torch.Tensor:
        config = self.config
        if action not in config.tool_actions:
            return self._touched(cleaned, inside, number, action)
        held = self._touched(cleaned, inside, number, config.grip_action)
        if not held.any():
            return held
        side = grid_side(len(inside))
        grip = torch.softmax((2.0 * held).masked_fill(~inside, -torch.inf), dim=0)
        squares = [(place - (grip * place).sum()) ** 2 for place in places(side)]
        far = _standard(torch.sqrt(torch.stack(squares).sum(0)), inside)
        return config.distance * far - config.avoidance * held

    def _touched(
        self, cleaned: torch.Tensor, inside: torch.Tensor, number: int, action: str
    ) -> torch.Tensor:
        found = self.contact.weighted(action, number, self.config.own_weight)
        if not found:
            return torch.zeros(len(cleaned))
        scores = [
            weight * _standard(cleaned @ (self.metric.inverse @ direction), inside)
            for weight, direction in found
        ]
        return torch.stack(scores).sum(0) / sum(weight for weight, _ in found)


def learn_labels(
    egocentric: tuple[torch.Tensor, Sequence[int]],
    exocentric: tuple[torch.Tensor, Sequence[int], Sequence[str]],
    config: WeakLabelConfig,
) -> PartLabeller:
    """Learn where actions happen from pictures of which only class and action are known.

    Args:
        egocentric: (M, N, C) float32 patch features of a square grid, and classes of the
            objects, numbered from 0.
        exocentric: (L, N, C) float32, classes of objects likewise, and actions.
        config: how.

    Raises:
        DatasetError: nothing stands out from the background of the egocentric pictures.
    """
    patches, numbers = egocentric
    classes = max(*numbers, *exocentric[1]) + 1
    foreground = learn_foreground(patches, grid_side(patches.shape[1]), config.shrinkage)
    ego = Pictures(
        foreground.centred(patches),
        foreground(patches),
        torch.tensor(numbers),
        ("",) * len(numbers),
    )
    exo = Pictures(
        foreground.centred(exocentric[0]),
        foreground(exocentric[0]),
        torch.tensor(exocentric[1]),
        tuple(exocentric[2]),
    )
    if not (ego.foreground > 0).any():
        raise DatasetError(
            f"nothing stands out from the background of {len(patches)} egocentric pictures; "
            "expected pictures with an object inside, surrounded by background"
        )
    parting = part_hands(ego, exo, classes, config)
    contact = learn_contact(ego, exo, parting, config)
    objects = ObjectModel.of(ego, classes, config)
    groups = [
        contact.cleaned(one)[objects.mask(one, shown, int(number))]
        for one, shown, number in zip(ego.patches, ego.foreground, ego.objects, strict=True)
    ]
    inner = Metric.of([torch.cat([group - group.mean(0) for group in groups])], config.shrinkage)
    return PartLabeller(foreground, contact, objects, inner, config)


def _standard(values: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Values in standard deviations from their mean inside a mask, clipped."""
    chosen = values[inside]
    deviation = chosen.std(correction=0) + 1e-6
    return ((values - chosen.mean()) / deviation).clamp(-_CLIP, _CLIP)
