"""From exocentric to egocentric pictures: heat where hands would be, without training a network."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from affordance_grounding_core.methods.action_head.weak.config import WeakLabelConfig
from affordance_grounding_core.methods.action_head.weak.labels import PartLabeller, learn_labels

Patches = NDArray[np.float32]
Grid = NDArray[np.float32]

_SOFTNESS = 0.5  # of the step from background to object, and of a standard deviation of evidence


@dataclass
class Bank:
    """Patches of a training set.

    Attributes:
        egocentric: class of object to its pictures, each (n, n, C) float32.
        exocentric: class and action to its pictures, likewise.
    """

    egocentric: dict[str, list[Patches]] = field(default_factory=dict)
    exocentric: dict[tuple[str, str], list[Patches]] = field(default_factory=dict)

    def add_egocentric(self, name: str, patches: Patches) -> None:
        """Add a picture of an object."""
        self.egocentric.setdefault(name, []).append(patches)

    def add_exocentric(self, name: str, action: str, patches: Patches) -> None:
        """Add a picture of an action with an object."""
        self.exocentric.setdefault((name, action), []).append(patches)


@dataclass(frozen=True)
class Transfer:
    """What a bank teaches.

    Attributes:
        labeller: tells objects from background and parts from objects.
        names: classes of objects, as the labeller numbers them.
    """

    labeller: PartLabeller
    names: tuple[str, ...]

    def knows(self, action: str) -> bool:
        """Say whether any picture of the bank taught an action."""
        return self.labeller.knows(action)

    def heat(self, patches: Patches, name: str, action: str) -> Grid:
        """Heat of an action in a picture (n, n, C) of a class: (n, n) float32 in [0, 1]."""
        flat = torch.from_numpy(patches.reshape(-1, patches.shape[-1]))
        evidence = self.labeller.evidence(flat, self.names.index(name), action)
        touched = torch.exp(_SOFTNESS * (evidence - evidence.max()))
        return np.asarray(
            self.object_heat(patches) * touched.numpy().reshape(patches.shape[:2]), np.float32
        )

    def object_heat(self, patches: Patches) -> Grid:
        """Heat of all objects in a picture, which no exocentric picture is needed for."""
        score = self.labeller.foreground(torch.from_numpy(patches))
        return np.asarray(torch.sigmoid(_SOFTNESS * score).numpy(), np.float32)


def learn_transfer(bank: Bank, config: WeakLabelConfig) -> Transfer:
    """Learn where actions happen from image-level labels.

    Args:
        bank: of a training set; exocentric pictures of a class without egocentric ones are left
            out.
        config: how.

    Raises:
        ValueError: no exocentric picture is left.
        DatasetError: nothing stands out from the background of the egocentric pictures.
    """
    names = tuple(sorted(bank.egocentric))
    shown = [pair for pair in sorted(bank.exocentric) if pair[0] in names]
    if not shown:
        raise ValueError("the bank needs exocentric pictures of classes with egocentric ones")
    ego = [(names.index(name), one) for name in names for one in bank.egocentric[name]]
    exo = [(names.index(pair[0]), pair[1], one) for pair in shown for one in bank.exocentric[pair]]
    labeller = learn_labels(
        (_batch([one for _, one in ego]), [number for number, _ in ego]),
        (
            _batch([one for *_, one in exo]),
            [number for number, *_ in exo],
            [action for _, action, _ in exo],
        ),
        config,
    )
    return Transfer(labeller, names)


def _batch(pictures: list[Patches]) -> torch.Tensor:
    return torch.from_numpy(np.stack([one.reshape(-1, one.shape[-1]) for one in pictures]))
