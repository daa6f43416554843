"""Labelling a training set: masks, records, resuming, and what goes wrong on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from affordance_grounding_core.data.agd20k import TrainingSet, read_training_set
from affordance_grounding_core.errors import DatasetError, PartNameError
from affordance_grounding_core.images import read_grey, read_rgb, write_png
from affordance_grounding_core.labelling.labeller import Labeller, LoadedImage
from affordance_grounding_core.labelling.manifest import read_manifest
from affordance_grounding_core.labelling.part_names import PartNames, load_part_names
from affordance_grounding_core.labelling.run import (
    LabelReport,
    LabelRunConfig,
    entries_of,
    label_training_set,
)
from affordance_grounding_core.labelling.segmenters.base import (
    Phrases,
    Segmentation,
    no_detection,
)
from affordance_grounding_core.labelling.store import LabelStore, check_names

PARTS = ["hold/mug=red", "drink_with/mug=green", "hold/hammer=red", "hit/hammer=blue"]
QUIET = LabelRunConfig(batch_size=3, workers=0, accelerator="cpu", devices=1, show_progress=False)
CHANNELS = {"red": 0, "green": 1, "blue": 2}


class ColourSegmenter:
    """Finds what is painted in the colour it is asked for; objects are all that is not black."""

    def __init__(self, name: str = "colours") -> None:
        self.name = name
        self.seen = 0
        self.stop_after: int | None = None

    @property
    def identity(self) -> Mapping[str, str]:
        return {"segmenter": self.name}

    def segment(
        self, images: Sequence[NDArray[np.uint8]], prompts: Sequence[Sequence[Phrases]]
    ) -> list[list[Segmentation]]:
        if self.stop_after is not None and self.seen >= self.stop_after:
            raise KeyboardInterrupt
        self.seen += len(images)
        return [
            [self._find(image, phrases) for phrases in groups]
            for image, groups in zip(images, prompts, strict=True)
        ]

    def _find(self, image: NDArray[np.uint8], phrases: Phrases) -> Segmentation:
        channels = [CHANNELS[phrase] for phrase in phrases if phrase in CHANNELS]
        mask = (image[..., channels] if channels else image).max(axis=2) > 127
        if not mask.any():
            return no_detection(*mask.shape)
        left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
        box = np.array([[left, top, left + width, top + height]], np.float32)
        return Segmentation(box, np.array([0.9], np.float32), mask[None])


class MeanColour:
    """Describes a picture by its mean colour."""

    identity = "mean colour"

    def describe(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        means = np.stack([image.mean(axis=(0, 1)) + 1e-3 for image in images])
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)


@pytest.fixture
def training(drawn_data: Path) -> TrainingSet:
    return read_training_set(drawn_data)


@pytest.fixture
def names() -> PartNames:
    return load_part_names(parts=PARTS)


def run(
    training: TrainingSet, folder: Path, names: PartNames, segmenter: ColourSegmenter | None = None
) -> LabelReport:
    report = label_training_set(
        training, folder, segmenter or ColourSegmenter(), names, MeanColour(), QUIET
    )
    assert report is not None
    return report


def test_labels_are_the_painted_parts_in_the_published_layout(
    training: TrainingSet, names: PartNames, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    report = run(training, out, names)
    assert report.manifest.counts() == {"labelled": 24, "nothing found": 0, "failed": 0}
    for item in training.egocentric:
        file = f"{item.action}/{item.object_name}/{item.image.stem}_pl.png"
        assert item.part_mask is not None
        np.testing.assert_array_equal(read_grey(out / "PL" / file), read_grey(item.part_mask))
        whole = read_grey(out / "whole_obj_mask_ego" / file) > 0
        assert (whole == (read_rgb(item.image).max(axis=2) > 127)).all()
    assert len(list((out / "whole_obj_mask_exo").rglob("*_pl.png"))) == 12
    assert {sheet.name for sheet in report.sheets} == {"hold.png", "drink_with.png", "hit.png"}
    assert read_rgb(report.sheets[0]).shape[1] == 8 * 228


def test_the_labels_are_found_by_training(
    training: TrainingSet, names: PartNames, drawn_data: Path
) -> None:
    for mask in (drawn_data / "trainset" / "PL").rglob("*.png"):
        mask.unlink()
    run(training, training.folder, names)
    assert all(item.part_mask for item in read_training_set(drawn_data).egocentric)


def test_the_manifest_tells_boxes_and_partners(
    training: TrainingSet, names: PartNames, tmp_path: Path
) -> None:
    report = run(training, tmp_path, names)
    manifest = read_manifest(tmp_path)
    assert manifest == report.manifest
    record = manifest.record("egocentric", "hold", "mug", "mug_0.png")
    assert record is not None
    assert record.part is not None
    assert record.part.phrases == ("red",)
    assert record.part.boxes == ((26.0, 46.0, 55.0, 75.0),)
    assert record.whole is not None
    assert record.whole.phrases == ("mug",)
    partners = manifest.partners("hold", "mug", "mug_1.png")
    assert {partner.image for partner in partners} == {
        "person_0.png",
        "person_1.png",
        "person_2.png",
    }
    similarities = [partner.similarity for partner in partners]
    assert similarities == sorted(similarities, reverse=True)
    assert manifest.partners("hold", "mug", "nobody.png") == ()


def test_a_second_run_does_nothing_and_another_segmenter_everything(
    training: TrainingSet, names: PartNames, tmp_path: Path
) -> None:
    first = run(training, tmp_path, names)
    again = ColourSegmenter()
    second = run(training, tmp_path, names, again)
    assert (again.seen, second.reused) == (0, 24)
    assert second.manifest == first.manifest
    other = ColourSegmenter("others")
    assert run(training, tmp_path, names, other).reused == 0
    assert other.seen == 24


def test_other_words_or_another_image_are_labelled_again(
    training: TrainingSet, names: PartNames, tmp_path: Path
) -> None:
    run(training, tmp_path, names)
    segmenter = ColourSegmenter()
    run(training, tmp_path, load_part_names(parts=[*PARTS[:3], "hit/hammer=red;blue"]), segmenter)
    assert segmenter.seen == 3, "the three pictures of a hammer to hit with"
    changed = training.egocentric[0].image
    write_png(changed, read_rgb(changed)[::-1].copy())
    segmenter = ColourSegmenter()
    run(training, tmp_path, names, segmenter)
    assert segmenter.seen == 1 + 3


def test_a_run_that_was_killed_is_taken_up(
    training: TrainingSet, names: PartNames, tmp_path: Path
) -> None:
    expected = run(training, tmp_path / "whole", names)
    killed = ColourSegmenter()
    killed.stop_after = 7
    # Lightning turns an interrupt into the end of the process.
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        run(training, tmp_path / "parts", names, killed)
    assert not (tmp_path / "parts" / "manifest.json").exists()
    assert not list((tmp_path / "parts").rglob("*.part"))
    rest = ColourSegmenter()
    report = run(training, tmp_path / "parts", names, rest)
    assert killed.seen + rest.seen == 24
    assert report.reused == killed.seen == 9
    assert report.manifest == expected.manifest


def test_a_kill_between_mask_and_record_leaves_no_claim(
    training: TrainingSet, names: PartNames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_record(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("affordance_grounding_core.labelling.store.replace_json", no_record)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            run(training, tmp_path, names)
    assert list(tmp_path.rglob("*_pl.png")), "the mask of the first image was written"
    assert run(training, tmp_path, names).reused == 0


@pytest.mark.parametrize("damage", ["record", "mask"])
def test_damaged_or_missing_files_are_made_again(
    training: TrainingSet, names: PartNames, tmp_path: Path, damage: str
) -> None:
    first = run(training, tmp_path, names)
    if damage == "record":
        (tmp_path / "records/egocentric/hit/hammer/hammer_0.png.json").write_text('{"key"')
    else:
        (tmp_path / "PL/hit/hammer/hammer_0_pl.png").unlink()
    segmenter = ColourSegmenter()
    assert run(training, tmp_path, names, segmenter).manifest == first.manifest
    assert segmenter.seen == 1


def test_nothing_found_is_reported_and_leaves_no_label(
    training: TrainingSet, names: PartNames, tmp_path: Path
) -> None:
    run(training, tmp_path, names)
    hammer = training.folder / "egocentric/hit/hammer/hammer_1.png"
    image = read_rgb(hammer)
    image[..., CHANNELS["blue"]] = 0
    write_png(hammer, image)
    report = run(training, tmp_path, names)
    assert report.manifest.counts() == {"labelled": 23, "nothing found": 1, "failed": 0}
    assert report.as_dict()["no_part"] == ["egocentric/hit/hammer/hammer_1.png"]
    assert report.as_dict()["no_object"] == []
    assert "no part found: egocentric/hit/hammer/hammer_1.png" in report.as_text()
    assert not (tmp_path / "PL/hit/hammer/hammer_1_pl.png").exists(), "no label outlives its image"
    assert (tmp_path / "whole_obj_mask_ego/hit/hammer/hammer_1_pl.png").is_file()
    assert report.failed == []


def test_an_object_nobody_found_is_compared_as_a_whole_picture(
    training: TrainingSet, names: PartNames, tmp_path: Path
) -> None:
    empty = training.folder / "egocentric/hit/hammer/hammer_0.png"
    write_png(empty, np.zeros((96, 128, 3), np.uint8))
    for person in (training.folder / "exocentric/hold/mug").iterdir():
        write_png(person, np.zeros((96, 128, 3), np.uint8))
    manifest = run(training, tmp_path, names).manifest
    boxes = [item.box for item in manifest.partner_lists if item.image == empty.name]
    assert -1 in boxes
    assert len(manifest.partners("hit", "hammer", empty.name)) == 3
    assert manifest.partners("hold", "mug", "mug_0.png") == (), "no exocentric mug was found"


def test_unreadable_images_fail_alone_and_are_tried_again(
    training: TrainingSet, names: PartNames, tmp_path: Path
) -> None:
    broken = training.folder / "egocentric/hold/mug/mug_1.png"
    content = broken.read_bytes()
    broken.write_bytes(b"junk")
    report = run(training, tmp_path, names)
    assert report.manifest.counts() == {"labelled": 23, "nothing found": 0, "failed": 1}
    assert (
        "mug_1.png' is not an image" in report.as_dict()["failed"]["egocentric/hold/mug/mug_1.png"]
    )
    assert "failed: egocentric/hold/mug/mug_1.png" in report.as_text()
    broken.write_bytes(content)
    assert run(training, tmp_path, names).manifest.counts()["labelled"] == 24


def test_a_mask_of_another_size_fails_alone(
    training: TrainingSet, names: PartNames, tmp_path: Path
) -> None:
    class Careless(ColourSegmenter):
        def _find(self, image: NDArray[np.uint8], phrases: Phrases) -> Segmentation:
            answer = super()._find(image, phrases)
            if phrases != ("blue",):
                return answer
            return Segmentation(answer.boxes, answer.scores, answer.masks[:, ::2])

    report = run(training, tmp_path, names, Careless())
    assert report.manifest.counts() == {"labelled": 21, "nothing found": 0, "failed": 3}
    assert (
        "masks of shape (1, 48, 128) and type bool for an image of 96 x 128 px" in report.as_text()
    )
    assert not (tmp_path / "PL/hit").exists()


def test_a_box_without_a_mask_is_no_label(
    training: TrainingSet, names: PartNames, tmp_path: Path
) -> None:
    class Empty(ColourSegmenter):
        def _find(self, image: NDArray[np.uint8], phrases: Phrases) -> Segmentation:
            answer = super()._find(image, phrases)
            return Segmentation(answer.boxes, answer.scores, np.zeros_like(answer.masks))

    report = run(training, tmp_path / "out", names, Empty())
    assert report.manifest.counts() == {"labelled": 0, "nothing found": 24, "failed": 0}
    assert not list((tmp_path / "out").rglob("*_pl.png"))


def test_where_the_part_is_the_object_it_is_asked_for_once(
    training: TrainingSet, tmp_path: Path
) -> None:
    names = load_part_names(parts=["hold/mug=mug", *PARTS[1:]])
    labeller = Labeller(ColourSegmenter(), names, LabelStore(tmp_path))
    (entry,) = [e for e in entries_of(training) if e.action == "hold" and e.image.stem == "mug_0"]
    assert labeller.prompts(entry) == [("mug",)]
    pixels = read_rgb(entry.image)
    digest = hashlib.sha256(entry.image.read_bytes()).hexdigest()
    (record,) = labeller.label([LoadedImage(entry, digest, pixels)])
    assert record.part is not None
    assert record.whole is not None
    assert record.part.boxes == record.whole.boxes
    part, whole = (read_grey(tmp_path / str(found.mask)) for found in record.findings)
    np.testing.assert_array_equal(part, whole)


def test_masks_of_another_hand_are_not_replaced(
    training: TrainingSet, names: PartNames, tmp_path: Path
) -> None:
    mask = training.folder / "PL/hold/mug/mug_0_pl.png"
    before = mask.read_bytes()
    with pytest.raises(DatasetError, match=r"were not made by this command.*--overwrite"):
        run(training, training.folder, names)
    assert mask.read_bytes() == before
    assert not (training.folder / "records").exists()
    config = LabelRunConfig(3, 0, 1, "cpu", overwrite=True, show_progress=False)
    assert label_training_set(training, training.folder, ColourSegmenter(), names, None, config)


def test_every_pair_needs_a_name_before_anything_is_written(
    training: TrainingSet, tmp_path: Path
) -> None:
    with pytest.raises(PartNameError, match=r"no part name for drink_with/mug.*hold/mug"):
        run(training, tmp_path / "out", load_part_names())
    assert not (tmp_path / "out").exists()


def test_equal_names_would_share_a_mask() -> None:
    check_names([Path("a/x.jpg"), Path("b/x.png"), Path("a/y.jpg")])
    with pytest.raises(DatasetError, match=r"'a/x.jpg' and 'x.png' would have the same mask"):
        check_names([Path("a/x.jpg"), Path("a/x.png")])


def test_a_run_needs_sensible_numbers() -> None:
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        LabelRunConfig(batch_size=0)
