"""Which pictures there are, in which order they are rendered, and the seed of each."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from render_affordances.shapes.catalogue import CLASSES, COMPOSITIONS, HELD_OUT

SPLITS = ("seen", "unseen", "both")
SUBSETS = ("test", "train")


@dataclass(frozen=True)
class Size:
    """How many pictures are made.

    Attributes:
        train: instances of every class to train on.
        test: other instances of every class to test on.
        views: pictures of an instance to train on; a test instance has one.
        exocentric: pictures of a hand at work, for every pair of action and class.
    """

    train: int = 20
    test: int = 4
    views: int = 2
    exocentric: int = 0

    def __post_init__(self) -> None:
        for name, least in (("train", 0), ("test", 0), ("views", 1), ("exocentric", 0)):
            value = getattr(self, name)
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")


@dataclass(frozen=True)
class Job:
    """One egocentric picture.

    Attributes:
        subset: "train" or "test"; their instances differ.
        object_name: class.
        instance: number of the instance within class and subset.
        view: number of the picture of the instance.
    """

    subset: str
    object_name: str
    instance: int
    view: int

    @property
    def name(self) -> str:
        """File name without its ending, the same in every action's folder."""
        return f"{self.object_name}_{self.subset}_{self.instance:04d}_{self.view}"

    def instance_random(self, seed: int) -> Generator:
        """Randomness that builds the object, the same for all its views."""
        return random_for(seed, self.subset, self.object_name, self.instance)

    def view_random(self, seed: int, retry: int = 0) -> Generator:
        """Randomness of everything else in the picture."""
        return random_for(seed, self.subset, self.object_name, self.instance, self.view, retry)


@dataclass(frozen=True)
class ActJob:
    """One exocentric picture.

    Attributes:
        action: that is done.
        object_name: class.
        number: of the picture of this pair; each shows an instance of its own.
    """

    action: str
    object_name: str
    number: int

    @property
    def name(self) -> str:
        """File name without its ending."""
        return f"{self.action}_{self.object_name}_{self.number:04d}"

    def instance_random(self, seed: int, retry: int = 0) -> Generator:
        """Randomness that builds the object."""
        return random_for(seed, "act", self.action, self.object_name, self.number, retry)

    def view_random(self, seed: int, retry: int = 0) -> Generator:
        """Randomness of everything else in the picture."""
        return random_for(seed, "act view", self.action, self.object_name, self.number, retry)


def random_for(seed: int, *what: str | int) -> Generator:
    """Randomness of its own for everything that has a name.

    Args:
        seed: of the whole benchmark.
        what: names and numbers that tell one thing from all others.

    Returns:
        A generator seeded by SHA-256, so that a picture does not depend on which others are
        rendered, in which order, or on the machine.
    """
    key = "/".join(str(part) for part in (seed, *what))
    digest = hashlib.sha256(key.encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def classes_of(split: str, subset: str) -> tuple[str, ...]:
    """Classes that a split's subset shows.

    Args:
        split: "seen", "unseen" or "both".
        subset: "train" or "test".

    Returns:
        Sorted names of classes and, but for "unseen", compositions. "both" needs what either
        needs: pictures are shared between the splits.

    Raises:
        ValueError: another split or subset.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {list(SPLITS)}, got {split!r}")
    if subset not in SUBSETS:
        raise ValueError(f"subset must be one of {list(SUBSETS)}, got {subset!r}")
    if split != "unseen":
        return tuple(sorted([*CLASSES, *COMPOSITIONS]))
    return tuple(name for name in sorted(CLASSES) if (name in HELD_OUT) == (subset == "test"))


def splits_of(job: Job | ActJob, split: str) -> tuple[str, ...]:
    """Folders ("Seen", "Unseen") a picture belongs to."""
    subset = job.subset if isinstance(job, Job) else "train"
    wanted = ("seen", "unseen") if split == "both" else (split,)
    return tuple(one.capitalize() for one in wanted if job.object_name in classes_of(one, subset))


def egocentric_jobs(split: str, size: Size, only: Sequence[str] = ()) -> Iterator[Job]:
    """All egocentric pictures, the test set first, then class by class in turn.

    Whenever it is stopped, every class has about equally many pictures.

    Args:
        split: "seen", "unseen" or "both".
        size: how many.
        only: classes to make; none means all of the split.

    Raises:
        ValueError: a class or a split that does not exist.
    """
    unknown = sorted(set(only) - {*CLASSES, *COMPOSITIONS})
    if unknown:
        raise ValueError(
            f"object must be one of {sorted([*CLASSES, *COMPOSITIONS])}, got {unknown}"
        )
    for subset in SUBSETS:
        instances, views = (size.test, 1) if subset == "test" else (size.train, size.views)
        names = [n for n in classes_of(split, subset) if not only or n in only]
        for view in range(views):
            for instance in range(instances):
                for name in names:
                    yield Job(subset, name, instance, view)


def act_jobs(
    split: str, count: int, actions: Mapping[str, Collection[str]], only: Sequence[str] = ()
) -> Iterator[ActJob]:
    """All exocentric pictures, pair by pair in turn.

    Args:
        split: "seen", "unseen" or "both".
        count: pictures of every pair.
        actions: class to the actions its instances may afford; what it lacks is left out.
        only: classes to make; none means all of the split's training classes.
    """
    names = [n for n in classes_of(split, "train") if n in actions and (not only or n in only)]
    for number in range(count):
        for name in names:
            for action in sorted(actions[name]):
                yield ActJob(action, name, number)
