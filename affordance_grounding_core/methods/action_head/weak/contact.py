"""What tells the part at the hand from the rest of its object.

In an exocentric picture, the difference between the object's patches at the hand and those away
from it points to the part. It also says that a hand is near, that the picture is exocentric, and
that patches at a hand lie at the outline of the object: those directions are taken out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.nn import functional

from affordance_grounding_core.methods.action_head.weak.config import WeakLabelConfig
from affordance_grounding_core.methods.action_head.weak.hands import Parting
from affordance_grounding_core.methods.action_head.weak.pictures import Pictures, distances

_LEAST = 2  # patches at the hand, and away from it, for a picture to count
_SEVERAL = 4  # pictures of a class with which it has its full say in what all classes share
_HALF = 3  # pictures of a class with which it has half its say in what is its own


@dataclass(frozen=True)
class Contact:
    """Directions among patches.

    Attributes:
        nuisance: (C, k) float32, orthonormal; what says nothing of parts.
        shared: action to (C,), from the pictures of all classes.
        own: action and class to (C,) and the number of pictures it is from.
    """

    nuisance: torch.Tensor
    shared: Mapping[str, torch.Tensor]
    own: Mapping[tuple[str, int], tuple[torch.Tensor, int]]

    def cleaned(self, patches: torch.Tensor) -> torch.Tensor:
        """Take the nuisance out of patches (..., C)."""
        return patches - (patches @ self.nuisance) @ self.nuisance.T

    def weighted(self, action: str, number: int, weight: float) -> list[tuple[float, torch.Tensor]]:
        """Name the directions that speak of an action with a class of object, with weights.

        Args:
            action: its name.
            number: of the class.
            weight: see `WeakLabelConfig.own_weight`.
        """
        found = []
        if action in self.shared:
            found.append((1.0, self.shared[action]))
        if (action, number) in self.own:
            direction, pictures = self.own[action, number]
            found.append((weight * pictures / (pictures + _HALF), direction))
        return found


def learn_contact(
    egocentric: Pictures, exocentric: Pictures, parting: Parting, config: WeakLabelConfig
) -> Contact:
    """Compare patches at hands with patches away from them.

    Args:
        egocentric: of every class of object.
        exocentric: of hands at work.
        parting: what their patches are.
        config: how.

    Returns:
        Directions for the actions that are no tool actions, not yet scaled by a metric.
    """
    reach = distances(parting.hand, exocentric.side)
    near = parting.thing & (reach <= config.reach)
    away = parting.thing & (reach >= config.away) & reach.isfinite()
    nuisance = _nuisance(egocentric, exocentric, parting, reach, config)
    empty = Contact(nuisance, {}, {})
    patches = empty.cleaned(exocentric.patches)
    differences: dict[tuple[str, int], list[torch.Tensor]] = {}
    for picture, action in enumerate(exocentric.actions):
        at, off = near[picture], away[picture]
        if action in config.tool_actions or min(int(at.sum()), int(off.sum())) < _LEAST:
            continue
        difference = patches[picture][at].mean(0) - patches[picture][off].mean(0)
        differences.setdefault((action, int(exocentric.objects[picture])), []).append(difference)
    own = {key: (torch.stack(found).mean(0), len(found)) for key, found in differences.items()}
    shared = {}
    for action in sorted({action for action, _ in own}):
        found = [(d, min(1.0, n / _SEVERAL)) for (a, _), (d, n) in own.items() if a == action]
        total = torch.stack([direction * say for direction, say in found]).sum(0)
        shared[action] = total / sum(say for _, say in found)
    return Contact(nuisance, shared, own)


def _nuisance(
    egocentric: Pictures,
    exocentric: Pictures,
    parting: Parting,
    reach: torch.Tensor,
    config: WeakLabelConfig,
) -> torch.Tensor:
    background = exocentric.foreground <= 0
    exo, ego = exocentric.patches, egocentric.patches
    candidates = [
        _difference(exo, background & (reach <= config.reach), background & (reach >= config.away)),
        parting.shift,
        _outline(exocentric, parting.thing),
        _outline(egocentric, egocentric.foreground > 0),
    ]
    used = [functional.normalize(one, dim=0) for one in candidates if one.norm() > 1e-6]
    if not used:
        return torch.zeros(ego.shape[-1], 0)
    basis: torch.Tensor = torch.linalg.qr(torch.stack(used, dim=1)).Q
    return basis


def _outline(pictures: Pictures, thing: torch.Tensor) -> torch.Tensor:
    """What patches at an object's outline have and those inside have not, (C,)."""
    inwards = distances(pictures.foreground <= 0, pictures.side)
    return _difference(pictures.patches, thing & (inwards <= 1.0), thing & (inwards >= 2.2))


def _difference(patches: torch.Tensor, here: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    if not here.any() or not there.any():
        return torch.zeros(patches.shape[-1])
    return patches[here].mean(0) - patches[there].mean(0)
