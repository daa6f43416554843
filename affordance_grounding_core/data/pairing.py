"""One egocentric image with several exocentric ones: the unit that weak supervision learns from.

An epoch runs over the exocentric images. Each brings a random egocentric image of the same
action and object, and other exocentric images of the same class, as in LOCATE and Selective
Contrastive Learning. Everything random is drawn from (seed, epoch, index), so that it does
not depend on the number of workers or devices, nor on whether a run was interrupted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affordance_grounding_core.data.agd20k import TrainingSet
from affordance_grounding_core.errors import DatasetError

MINIMUM_SIDE = 32
"""Shorter side, in px, of the smallest image that training takes: two patches of 16."""

ClassName = tuple[str, str]
"""Action and object."""


@dataclass(frozen=True)
class Pair:
    """What one training sample looks at.

    Attributes:
        action: label of all its images.
        object_name: class of the object in all its images.
        egocentric: an image of the object.
        exocentric: images of people using such an object; the first is the one that the
            epoch came to.
    """

    action: str
    object_name: str
    egocentric: Path
    exocentric: tuple[Path, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """All images, the egocentric one first."""
        return (self.egocentric, *self.exocentric)


class Pairing:
    """The training samples of every epoch.

    Args:
        training: listing to draw from.
        actions: vocabulary; images of other actions are left out.
        exocentric_count: exocentric images in a sample, at least 1.
        seed: seed of everything random.
        excluded: files that are not to be used, for example unreadable ones.

    Attributes:
        unpaired: classes whose exocentric images are left out for lack of an egocentric one.

    Raises:
        DatasetError: an action without a single sample, or no sample at all.
    """

    def __init__(
        self,
        training: TrainingSet,
        actions: Sequence[str],
        exocentric_count: int = 3,
        seed: int = 0,
        excluded: Collection[Path] = (),
    ) -> None:
        if exocentric_count < 1:
            raise ValueError(f"exocentric_count must be at least 1, got {exocentric_count}")
        self.actions = tuple(actions)
        self.exocentric_count = exocentric_count
        self.seed = seed
        left_out = frozenset(excluded)
        self._egocentric: dict[ClassName, list[Path]] = {}
        self._exocentric: dict[ClassName, list[Path]] = {}
        for item in training.egocentric:
            if item.action in self.actions and item.image not in left_out:
                self._egocentric.setdefault((item.action, item.object_name), []).append(item.image)
        for person in training.exocentric:
            if person.action in self.actions and person.image not in left_out:
                name = (person.action, person.object_name)
                self._exocentric.setdefault(name, []).append(person.image)
        self.unpaired = tuple(sorted(set(self._exocentric) - set(self._egocentric)))
        self._samples = [
            (name, position)
            for name, files in sorted(self._exocentric.items())
            if name in self._egocentric
            for position in range(len(files))
        ]
        self._check(training)

    def __len__(self) -> int:
        return len(self._samples)

    def sample(self, epoch: int, index: int) -> Pair:
        """Draw a sample.

        Args:
            epoch: number of the epoch, from 0; another epoch draws other companions.
            index: number of the exocentric image, in [0, len).

        Returns:
            The exocentric images are distinct where the class has more of them than a
            sample takes; otherwise the companions may repeat, as in the published code.
        """
        (action, object_name), position = self._samples[index]
        random = np.random.default_rng((self.seed, epoch, index))
        egocentric = self._egocentric[action, object_name]
        exocentric = self._exocentric[action, object_name]
        chosen = egocentric[random.integers(len(egocentric))]
        count = self.exocentric_count - 1
        if len(exocentric) > self.exocentric_count:
            others = [place for place in range(len(exocentric)) if place != position]
            companions = random.choice(others, count, replace=False)
        else:
            companions = random.integers(len(exocentric), size=count)
        people = (exocentric[position], *(exocentric[int(place)] for place in companions))
        return Pair(action, object_name, chosen, people)

    def replacement(self, pair: Pair, slot: int, epoch: int, index: int, attempt: int) -> Path:
        """Draw another image for one that turned out to be unreadable.

        Args:
            pair: the sample.
            slot: place of the image in `pair.files`; 0 is the egocentric one.
            epoch: epoch of the sample.
            index: number of the sample.
            attempt: number of replacements tried before, so that each draw is another.
        """
        name = (pair.action, pair.object_name)
        files = (self._exocentric if slot else self._egocentric)[name]
        random = np.random.default_rng((self.seed, epoch, index, slot, attempt))
        return files[int(random.integers(len(files)))]

    def egocentric_files(self) -> list[Path]:
        """All egocentric images that a sample may hold, sorted."""
        used = {name for name, _ in self._samples}
        return sorted(file for name in used for file in self._egocentric[name])

    def exocentric_files(self) -> list[Path]:
        """All exocentric images that a sample may hold, sorted."""
        used = {name for name, _ in self._samples}
        return sorted(file for name in used for file in self._exocentric[name])

    def _check(self, training: TrainingSet) -> None:
        trained = {name[0] for name, _ in self._samples}
        untrained = [action for action in self.actions if action not in trained]
        if not untrained:
            return
        held = sorted({item.action for item in training.exocentric})
        raise DatasetError(
            f"training set {str(training.folder)!r} has no sample of the actions {untrained}; "
            "expected exocentric/ACTION/OBJECT/*.jpg and egocentric/ACTION/OBJECT/*.jpg of each. "
            f"Its exocentric actions are {held}. Train with model.actions that the data has, or "
            "give another root or split"
        )


def unpaired_classes(training: TrainingSet) -> list[ClassName]:
    """Classes that have exocentric images and no egocentric one, sorted."""
    objects = {(item.action, item.object_name) for item in training.egocentric}
    people = {(item.action, item.object_name) for item in training.exocentric}
    return sorted(people - objects)
