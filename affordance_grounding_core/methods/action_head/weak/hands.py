"""Where hands and objects are in exocentric pictures, found without any mask.

The foreground of exocentric pictures is the object, which egocentric pictures of its class show
too, or else something that they never show. Of that, what the pictures of all classes have in
common is hands, arms and bodies; the rest is what a tool works on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from affordance_grounding_core.methods.action_head.weak.config import WeakLabelConfig
from affordance_grounding_core.methods.action_head.weak.gaussians import Metric
from affordance_grounding_core.methods.action_head.weak.objects import ObjectModel
from affordance_grounding_core.methods.action_head.weak.pictures import Pictures

_ROUNDS = 6
_ENOUGH = 30  # patches of a class, to have a say in what all classes have in common


@dataclass(frozen=True)
class Parting:
    """What the patches of exocentric pictures are.

    Attributes:
        hand: (M, N) bool, a hand, an arm or a body.
        thing: (M, N) bool, the object of the picture's class.
        shift: (C,) how objects' patches differ from those of egocentric pictures.
    """

    hand: torch.Tensor
    thing: torch.Tensor
    shift: torch.Tensor


def part_hands(
    egocentric: Pictures, exocentric: Pictures, classes: int, config: WeakLabelConfig
) -> Parting:
    """Tell hands from objects.

    Args:
        egocentric: of every class of object.
        exocentric: of hands at work.
        classes: number of them.
        config: how.
    """
    shown = exocentric.foreground > 0
    objects = ObjectModel.of(egocentric, classes, config)
    hand = shown & _foreign(egocentric, exocentric, config)
    thing = shown & ~hand
    shift = torch.zeros(exocentric.patches.shape[-1])
    own = exocentric.objects[:, None, None].expand(-1, exocentric.patches.shape[1], 1)
    for _ in range(_ROUNDS):
        shifts = [
            mean - objects.means[number]
            for number, mean in _class_means(exocentric, thing, classes)
        ]
        common = [mean for _, mean in _class_means(exocentric, hand, classes)]
        if not shifts or not common:
            break
        shift = torch.stack(shifts).mean(0)
        as_hand = objects.metric.fit(exocentric.patches, torch.stack(common).mean(0)[None])[..., 0]
        as_thing = objects.metric.fit(exocentric.patches, objects.means + shift)
        as_own = as_thing.gather(2, own)
        hand = shown & (as_hand > as_own[..., 0])
        better = (as_thing > as_own).sum(-1)
        thing = shown & ~hand & (better <= config.rank)
    return Parting(hand, thing, shift)


def _foreign(egocentric: Pictures, exocentric: Pictures, config: WeakLabelConfig) -> torch.Tensor:
    """The half of the exocentric foreground that least resembles all else, (M, N) bool."""
    ego, exo = egocentric.foreground > 0, exocentric.foreground > 0
    if not exo.any():
        return exo
    groups = [
        exocentric.patches[exo],
        exocentric.patches[~exo],
        egocentric.patches[ego],
        egocentric.patches[~ego],
    ]
    groups = [group for group in groups if len(group)]
    means = torch.stack([group.mean(0) for group in groups])
    fit = Metric.of(groups, config.shrinkage).fit(exocentric.patches, means)
    score = fit[..., 0] - fit[..., 1:].amax(-1)
    return score > score[exo].median()


def _class_means(
    pictures: Pictures, mask: torch.Tensor, classes: int
) -> list[tuple[int, torch.Tensor]]:
    """Mean of the masked patches of each class that has enough of them."""
    found = []
    for number in range(classes):
        chosen = pictures.objects == number
        patches = pictures.patches[chosen][mask[chosen]]
        if len(patches) > _ENOUGH:
            found.append((number, patches.mean(0)))
    return found
