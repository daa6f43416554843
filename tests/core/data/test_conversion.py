"""Converters, on tiny folders of the published layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.io import savemat

from affordance_grounding_core.data.conversion.base import Conversion, convert_dataset
from affordance_grounding_core.data.conversion.formats import READERS
from affordance_grounding_core.data.evaluation_manifest import ManifestRow, read_manifest
from affordance_grounding_core.data.part_masks import read_part_mask
from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.evaluation.manifest import evaluate_manifest
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.images import read_grey, write_png
from affordance_grounding_core.inference.grounder import Grounder
from tests.core.conftest import draw_object, part_mask

HEIGHT, WIDTH = 12, 16


def picture(path: Path) -> None:
    """Write a picture of grey whatever its name ends with; readers go by content."""
    write_png(path, np.full((HEIGHT, WIDTH, 3), 90, np.uint8))


def labels(**places: int) -> NDArray[np.uint8]:
    """A label of every pixel: value of the rows named."""
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    for rows, value in places.items():
        values[int(rows[1:])] = value
    return values


def convert(name: str, root: Path, tmp_path: Path, **options: Any) -> tuple[Conversion, list[Any]]:
    options = {"part": "test", **options}
    done = convert_dataset(READERS[name], root, tmp_path / "out", **options)
    rows = list(read_manifest(done.manifest))
    assert len(rows) == done.samples
    for row in rows:
        assert row.image.is_file()
        if row.mask is not None:
            assert read_part_mask(row.mask, *read_grey(row.mask).shape).any()
    return done, rows


def inside(row: ManifestRow) -> list[int]:
    """The rows of pixels that a mask covers."""
    assert row.mask is not None
    return np.flatnonzero((read_grey(row.mask) == 1).all(axis=1)).tolist()


def instructpart(root: Path, mask_value: int = 255) -> Path:
    items = []
    for name, part in (("tea cup", "cup handle"), ("knife", "blade")):
        stem = f"shot-{name}-{part}".replace(" ", "_")
        picture(root / "test" / "images" / f"{stem}.jpg")
        write_png(root / "test" / "masks" / f"{stem}.png", labels(r3=mask_value))
        items.append(
            {
                "object": name,
                "part": part,
                "affordance": "hold",
                "action": "pick up",
                "instruction": [f"If I want the {name}, where do I take it?", *"bcdef"],
            }
        )
    entries = [{"image_path": "shot.jpg", "part_list": items}]
    (root / "test" / "data_test.json").write_text(json.dumps(entries))
    return root


@pytest.mark.parametrize("mask_value", [1, 255])
def test_instructpart_keeps_the_sentences(tmp_path: Path, mask_value: int) -> None:
    done, rows = convert("instructpart", instructpart(tmp_path / "in", mask_value), tmp_path)
    assert done.actions == {"(sentence)": 2}
    assert [row.asked for row in rows] == [
        "If I want the tea cup, where do I take it?",
        "If I want the knife, where do I take it?",
    ]
    assert all(row.is_sentence for row in rows)
    assert (rows[0].object_name, rows[0].source) == ("tea cup", "hold")
    assert inside(rows[0]) == [3]


def test_instructpart_trains_on_the_largest_folder(tmp_path: Path) -> None:
    root = instructpart(tmp_path / "in")
    (root / "train").mkdir()
    (root / "test").rename(root / "train" / "train600")
    folder = root / "train" / "train600"
    (folder / "data_test.json").rename(folder / "data_train.json")
    _, rows = convert("instructpart", root, tmp_path, part="train")
    assert rows[0].image.parent.parent.name == "train600"


def test_what_is_missing_is_counted_and_named(tmp_path: Path) -> None:
    root = instructpart(tmp_path / "in")
    (root / "test" / "masks" / "shot-knife-blade.png").unlink()
    done, rows = convert("instructpart", root, tmp_path)
    assert len(rows) == 1
    assert "left out: 1 masks are missing, for example" in done.as_text()
    assert "shot-knife-blade.png" in done.as_text()


def test_umd_has_a_mask_for_each_affordance(tmp_path: Path) -> None:
    root = tmp_path / "part-affordance-dataset"
    for tool in ("knife_01", "knife_02", "mug_01"):
        for frame in range(1, 5):
            stem = root / "tools" / tool / f"{tool}_{frame:08d}"
            picture(Path(f"{stem}_rgb.jpg"))
            savemat(f"{stem}_label.mat", {"gt_label": labels(r2=1, r3=2, r5=7)})
    (root / "category_split.txt").write_text("1 knife_01\n2 knife_02\n2 mug_01\n")
    done, rows = convert("umd", root, tmp_path, every=3)
    assert done.actions == {"cut_with": 4, "hold": 8}
    assert {row.image.parent.name for row in rows} == {"knife_02", "mug_01"}
    assert [(row.object_name, row.source, inside(row)) for row in rows[:3]] == [
        ("knife", "grasp", [2]),
        ("knife", "cut", [3]),
        ("knife", "wrap-grasp", [5]),
    ]
    _, training = convert("umd", root, tmp_path, part="train")
    assert {row.image.parent.name for row in training} == {"knife_01"}


def test_iit_aff_names_the_object_where_there_is_one_class(tmp_path: Path) -> None:
    root = tmp_path / "IIT_Affordances_2017"
    for stem, objects in {"a": "5 0 0 9 9\n5 3 3 9 9\n", "b": "5 0 0 9 9\n4 1 1 3 3\n"}.items():
        picture(root / "rgb" / f"{stem}.jpg")
        for folder, text in (
            ("affordances_labels", "\n".join(" ".join(map(str, r)) for r in labels(r1=9, r4=6))),
            ("object_labels", objects),
        ):
            (root / folder).mkdir(exist_ok=True)
            (root / folder / f"{stem}.txt").write_text(text)
    (root / "test.txt").write_text("a.jpg\nb.jpg\ngone.jpg\n")
    done, rows = convert("iit-aff", root, tmp_path)
    assert [(row.asked, row.object_name, row.source, inside(row)) for row in rows] == [
        ("hit", "cup", "hit", [4]),
        ("hold", "cup", "w-grasp", [1]),
        ("hit", "", "hit", [4]),
        ("hold", "", "w-grasp", [1]),
    ]
    assert done.left_out == {"labels cannot be read": 1}


def test_handal_joins_the_handles_of_a_frame(tmp_path: Path) -> None:
    scene = tmp_path / "in" / "handal_dataset_mugs" / "test" / "001001"
    for frame in range(3):
        picture(scene / "rgb" / f"{frame:06d}.jpg")
        for number in range(2):
            file = scene / "mask_parts" / f"{frame:06d}_{number:06d}_handle.png"
            write_png(file, labels(**{f"r{number + frame}": 255}))
    (scene.parent / "001002").mkdir()
    done, rows = convert("handal", tmp_path / "in", tmp_path, every=2)
    assert [(row.asked, row.object_name, inside(row)) for row in rows] == [
        ("hold", "mugs", [0, 1]),
        ("hold", "mugs", [2, 3]),
    ]
    assert done.left_out == {"scenes have no mask of a handle": 1}
    _, alone = convert("handal", tmp_path / "in" / "handal_dataset_mugs", tmp_path)
    assert len(alone) == 3


def threedoi(root: Path, *instances: dict[str, Any]) -> Path:
    picture(root / "images" / "room_1.png")
    (root / "3doi_v1").mkdir(parents=True)
    entries = [{"img_name": "room_1.png", "instances": list(instances)}]
    torch.save(entries, root / "3doi_v1" / "data_test.pt")
    return root


def instance(x: float, y: float, moved: str, kinematic: str = "rotation") -> dict[str, Any]:
    point = torch.tensor([x, y]) if moved == "pull" else [x, y]
    return {"affordance": point, "pull_or_push": moved, "kinematic": kinematic, "mask": [[0, 0]]}


def test_3doi_turns_points_into_heat_and_has_no_masks(tmp_path: Path) -> None:
    root = threedoi(
        tmp_path / "in",
        instance(0.5, 0.25, "pull"),
        instance(0.9, 0.9, "free", "freeform"),
        instance(-1, -1, "free"),
        instance(0.2, 0.2, "n/a"),
    )
    done, rows = convert("3doi", root, tmp_path)
    assert [(row.asked, row.mask) for row in rows] == [("hold", None), ("open", None)]
    heat = read_grey(Path(str(rows[1].heatmap)))
    assert np.unravel_index(int(heat.argmax()), heat.shape) == (3, 8)
    assert heat.max() == 1
    assert done.left_out == {"instances have no point or no known action": 2}


@pytest.mark.parametrize("name", READERS)
def test_a_folder_of_another_layout_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="expected"):
        convert(name, tmp_path / "none", tmp_path)
    assert not (tmp_path / "out" / "manifest.jsonl").exists()


def test_annotations_that_are_no_annotations_are_refused(tmp_path: Path) -> None:
    root = instructpart(tmp_path / "a")
    (root / "test" / "data_test.json").write_text('[{"image_path": "x.jpg"}]')
    with pytest.raises(DatasetError, match="expected image_path and part_list"):
        convert("instructpart", root, tmp_path)
    other = threedoi(tmp_path / "b", instance(0.5, 0.5, "pull"))
    (other / "3doi_v1" / "data_test.pt").write_bytes(b"junk")
    with pytest.raises(DatasetError, match="cannot be read as annotations of 3DOI"):
        convert("3doi", other, tmp_path)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        convert("3doi", other, tmp_path, every=0)


def test_what_is_converted_can_be_evaluated(tmp_path: Path, colour_grounder: Grounder) -> None:
    root = tmp_path / "IIT_Affordances_2017"
    write_png(root / "rgb" / "a.jpg", draw_object("hammer"))
    for name in ("affordances_labels", "object_labels"):
        (root / name).mkdir()
    part = np.where(part_mask("hold") > 0, 5, 0)
    part[part_mask("hit") > 0] = 7
    np.savetxt(root / "affordances_labels" / "a.txt", part, fmt="%d")
    (root / "object_labels" / "a.txt").write_text("3 0 0 99 99\n")
    (root / "test.txt").write_text("a.jpg\n")
    done = convert_dataset(READERS["iit-aff"], root, tmp_path / "out", "test")
    evaluation = evaluate_manifest(colour_grounder, done.manifest, PROTOCOLS["locate"])
    assert [pair.result.image.action for pair in evaluation.right] == ["hold", "hit"]
    assert all(pair.mask and pair.mask.iou > 0.5 for pair in evaluation.right)
    assert [(pair.object_name, pair.action) for pair in evaluation.wrong] == [
        ("hammer", "drink_with")
    ]
