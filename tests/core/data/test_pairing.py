"""Training samples depend on seed, epoch and index, and on nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affordance_grounding_core.data.agd20k import (
    ExocentricImage,
    TrainingImage,
    TrainingSet,
    read_training_set,
)
from affordance_grounding_core.data.pairing import Pairing, unpaired_classes
from affordance_grounding_core.errors import DatasetError

ACTIONS = ("hold", "hit")


def listing(egocentric: dict[str, int], exocentric: dict[str, int]) -> TrainingSet:
    """Classes "action/object" to their number of images."""
    return TrainingSet(
        Path("trainset"),
        None,
        tuple(
            TrainingImage(Path(f"ego/{name}/{i}.jpg"), *name.split("/"), None)
            for name, count in egocentric.items()
            for i in range(count)
        ),
        tuple(
            ExocentricImage(Path(f"exo/{name}/{i}.jpg"), *name.split("/"))
            for name, count in exocentric.items()
            for i in range(count)
        ),
        (),
    )


@settings(max_examples=40)
@given(
    people=st.integers(1, 7), count=st.integers(1, 4), seed=st.integers(0, 99), epoch=st.integers(0)
)
def test_a_sample_is_of_one_class_and_its_people_differ_where_they_can(
    people: int, count: int, seed: int, epoch: int
) -> None:
    data = listing({"hold/mug": 4, "hit/axe": 2}, {"hold/mug": people, "hit/axe": 5})
    pairing = Pairing(data, ACTIONS, count, seed)
    assert len(pairing) == people + 5
    for index in range(len(pairing)):
        pair = pairing.sample(epoch, index)
        name = f"{pair.action}/{pair.object_name}"
        assert pair == pairing.sample(epoch, index)
        assert len(pair.exocentric) == count
        assert all(file.parent == Path("exo") / name for file in pair.exocentric)
        assert pair.egocentric.parent == Path("ego") / name
        if (people if name == "hold/mug" else 5) > count:
            assert len(set(pair.exocentric)) == count
    first = {pairing.sample(epoch, index).exocentric[0] for index in range(len(pairing))}
    assert first == set(pairing.exocentric_files())


def test_epochs_and_seeds_draw_other_companions() -> None:
    data = listing({"hold/mug": 20, "hit/axe": 20}, {"hold/mug": 20, "hit/axe": 20})

    def draw(seed: int, epoch: int) -> list[tuple[Path, ...]]:
        pairing = Pairing(data, ACTIONS, seed=seed)
        return [pairing.sample(epoch, index).files for index in range(len(pairing))]

    assert draw(0, 0) == draw(0, 0)
    assert draw(0, 0) != draw(0, 1)
    assert draw(0, 0) != draw(1, 0)
    assert draw(1, 0) != draw(0, 1)


def test_classes_without_objects_are_left_out_and_named() -> None:
    data = listing({"hold/mug": 1, "hit/axe": 1}, {"hold/mug": 2, "hit/axe": 1, "hold/cup": 9})
    pairing = Pairing(data, ACTIONS)
    assert pairing.unpaired == (("hold", "cup"),)
    assert unpaired_classes(data) == [("hold", "cup")]
    assert len(pairing) == 3


def test_excluded_files_are_never_drawn() -> None:
    data = listing({"hold/mug": 3, "hit/axe": 1}, {"hold/mug": 5, "hit/axe": 1})
    bad = {Path("ego/hold/mug/0.jpg"), Path("exo/hold/mug/4.jpg")}
    pairing = Pairing(data, ACTIONS, excluded=bad)
    drawn = {
        file for e in range(9) for i in range(len(pairing)) for file in pairing.sample(e, i).files
    }
    assert not drawn & bad
    assert len(drawn) == 8


def test_an_action_without_samples_is_refused(drawn_data: Path) -> None:
    with pytest.raises(DatasetError, match=r"no sample of the actions \['pour'\].*'hit', 'hold'"):
        Pairing(read_training_set(drawn_data), ["hold", "pour"])
    with pytest.raises(DatasetError, match="exocentric/ACTION/OBJECT"):
        Pairing(listing({"hold/mug": 3}, {}), ["hold"])
