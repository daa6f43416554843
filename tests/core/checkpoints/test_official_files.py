from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from affordance_grounding_core.actions.datasets import AGD20K_UNSEEN
from affordance_grounding_core.checkpoints.official import (
    OfficialFile,
    choose_actions,
    read_official,
    require_tensors,
)
from affordance_grounding_core.errors import CheckpointError


class Payload:
    """What a pickle could run."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


def file_of(**tensors: torch.Tensor) -> OfficialFile:
    return OfficialFile(Path("file.pth"), "0" * 64, tensors)


def test_a_flat_state_dict_is_read(tmp_path: Path) -> None:
    file = tmp_path / "model.pth"
    torch.save(OrderedDict(weight=torch.ones(2)), file)
    read = read_official(file)
    assert list(read.tensors) == ["weight"]
    assert len(read.sha256) == 64


def test_the_state_dict_of_a_training_checkpoint_is_read(tmp_path: Path) -> None:
    file = tmp_path / "model.ckpt"
    torch.save({"optimizer": {"lr": 0.1}, "state_dict": {"weight": torch.ones(2)}}, file)
    assert list(read_official(file, entry="state_dict").tensors) == ["weight"]


def test_pickled_code_is_never_run(tmp_path: Path) -> None:
    file, marker = tmp_path / "model.pth", tmp_path / "ran"
    torch.save({"weight": torch.ones(2), "extra": Payload(marker)}, file)
    with pytest.raises(CheckpointError, match="pickled code is never run"):
        read_official(file)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"weight": torch.ones(2), "epoch": 3}, r"more than tensors at its top: \['epoch'\]"),
        ({}, "holds no state dict"),
        ([torch.ones(2)], "holds no state dict"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path: Path, content: object, message: str) -> None:
    file = tmp_path / "model.pth"
    torch.save(content, file)
    with pytest.raises(CheckpointError, match=message):
        read_official(file)


def test_a_missing_or_cut_off_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.pth"
    with pytest.raises(CheckpointError, match="does not exist"):
        read_official(file)
    torch.save({"weight": torch.ones(1000)}, file)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"refused|cannot be read"):
        read_official(file)


def test_every_tensor_must_be_there_and_no_other() -> None:
    expected = {"a": torch.zeros(2), "b": torch.zeros(3), "c": torch.zeros(4)}
    require_tensors(file_of(a=torch.ones(2), b=torch.ones(3), c=torch.ones(4)), expected, "kind")
    with pytest.raises(
        CheckpointError,
        match=r"of 3 tensors 1 missing \(c\); 1 unknown \(d\); 1 of another shape \(b \(2,\)",
    ):
        require_tensors(
            file_of(a=torch.ones(2), b=torch.ones(2), d=torch.ones(1)), expected, "kind"
        )


def test_weights_that_are_not_finite_are_refused() -> None:
    with pytest.raises(CheckpointError, match=r"not finite in \['a'\]"):
        require_tensors(file_of(a=torch.tensor([1.0, torch.nan])), {"a": torch.zeros(2)}, "kind")


def test_the_class_list_is_told_by_its_length() -> None:
    assert choose_actions(25, None) == AGD20K_UNSEEN
    assert choose_actions(2, ["hold", "cut"]) == ("hold", "cut")


@pytest.mark.parametrize(
    ("count", "given", "message"),
    [
        (8, None, r"8 classes, and no published class list.*--actions"),
        (3, ["hold", "cut"], "3 classes, the class list 2"),
        (2, ["hold", "hold"], "must be unique"),
        (1, ["Hold Me!"], "lower case"),
    ],
)
def test_a_class_list_that_does_not_fit_is_refused(
    count: int, given: list[str] | None, message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        choose_actions(count, given)
