"""Actions taught by example join a model's vocabulary, and what is refused changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from taught_models import HEIGHT, WIDTH, build_grounder, picture

from affordance_grounding_core.errors import TeachingError, UnknownActionError
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.inference.turn import parse_image_turn
from affordance_grounding_core.teaching.collection import MAXIMUM_EXEMPLARS
from affordance_grounding_core.teaching.file import read_taught
from affordance_grounding_core.teaching.marks import Mark, mark_box
from affordance_grounding_core.teaching.teacher import Teacher

PART = mark_box(36, 26, 29, 29, HEIGHT, WIDTH)
"""Around the part of `picture(50, 40)`."""


def taught_by(grounder: Grounder, file: Path | None = None) -> Teacher:
    teacher = Teacher(grounder, file)
    teacher.teach("Press shutter", picture(50, 40), PART, source="camera.png")
    return teacher


def test_a_taught_action_is_found_where_the_part_is_in_another_picture(grounder: Grounder) -> None:
    taught_by(grounder)
    assert grounder.actions == ("hold", "press", "press_shutter")
    result = grounder.ground(picture(90, 60), "press shutter")
    assert result.found
    row, column = np.unravel_index(int(result.heatmap.argmax()), result.heatmap.shape)
    assert abs(column - 90) < 16
    assert abs(row - 60) < 16
    assert result.heatmap.shape == (HEIGHT, WIDTH)
    assert 0.0 <= result.heatmap.min() <= result.heatmap.max() <= 1.0


def test_it_is_not_found_where_the_part_is_missing(grounder: Grounder) -> None:
    taught_by(grounder)
    there = grounder.ground(picture(90, 60), "press shutter").score
    other = grounder.ground(picture(90, 60, colour=(112, 112, 112)), "press shutter")
    assert not other.found
    assert other.score < there


def test_trained_actions_answer_as_before(grounder: Grounder) -> None:
    image = picture(90, 60)
    before = grounder.heatmaps(image, ["hold", "press"])
    taught_by(grounder)
    np.testing.assert_allclose(grounder.heatmaps(image, ["hold", "press"]), before, atol=1e-6)
    together = grounder.heatmaps(image, ["press", "press shutter", "hold"])
    np.testing.assert_allclose(together[[2, 0]], before, atol=1e-6)
    np.testing.assert_allclose(
        together[1], grounder.heatmaps(image, ["press shutter"])[0], atol=1e-6
    )


def test_beside_a_model_with_part_masks_a_taught_region_is_its_heat() -> None:
    grounder = build_grounder(mask_width=8)
    image = picture(90, 60)
    (before,) = grounder.ground_several(image, ["hold"], threshold=1e-6)
    taught_by(grounder)
    together = grounder.ground_several(image, ["press shutter", "hold"], threshold=1e-6)
    np.testing.assert_array_equal(together[1].mask, before.mask)
    level = together[0].score * 0.9
    taught, _ = grounder.ground_several(image, ["press shutter", "hold"], threshold=level)
    assert taught.found
    assert (taught.heatmap[taught.mask] >= level).all()


def test_trained_and_taught_actions_share_one_pass_of_the_backbone(
    grounder: Grounder, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = taught_by(grounder)
    backbone, passes = teacher.features.backbone, []
    forward = type(backbone).forward

    def counted(self: object, *arguments: object) -> object:
        passes.append(self)
        return forward(self, *arguments)

    monkeypatch.setattr(type(backbone), "forward", counted)
    grounder.ground_several(picture(90, 60), ["hold", "press shutter"])
    assert len(passes) == 1


def test_more_examples_join_the_first(grounder: Grounder) -> None:
    teacher = taught_by(grounder)
    second = mark_box(76, 46, 29, 29, HEIGHT, WIDTH)
    assert teacher.teach("press-shutter", picture(90, 60), second) == 2
    assert grounder.ground(picture(70, 30), "press shutter").found


def test_another_run_knows_what_the_file_holds(grounder: Grounder, tmp_path: Path) -> None:
    file = tmp_path / "mine" / "taught.safetensors"
    taught_by(grounder, file)
    again = build_grounder()
    Teacher(again, file)
    image = picture(90, 60)
    assert again.actions == grounder.actions
    np.testing.assert_array_equal(
        again.heatmaps(image, ["press shutter"]), grounder.heatmaps(image, ["press shutter"])
    )


def test_remove_and_rename_reach_vocabulary_and_file(grounder: Grounder, tmp_path: Path) -> None:
    file = tmp_path / "taught.safetensors"
    teacher = taught_by(grounder, file)
    teacher.rename("press shutter", "take photograph")
    assert grounder.actions == ("hold", "press", "take_photograph")
    assert list(read_taught(file).actions) == ["take_photograph"]
    teacher.remove("take photograph")
    assert grounder.actions == ("hold", "press")
    assert not read_taught(file).actions
    with pytest.raises(UnknownActionError):
        grounder.ground(picture(90, 60), "take_photograph")


@pytest.mark.parametrize("name", ["hold", "Grasp"])
def test_a_name_of_the_models_own_is_refused_unless_that_is_wanted(
    grounder: Grounder, name: str
) -> None:
    teacher = Teacher(grounder)
    with pytest.raises(TeachingError, match="in the model's own vocabulary"):
        teacher.teach(name, picture(50, 40), PART)
    assert grounder.actions == ("hold", "press")
    image = picture(90, 60)
    trained = grounder.heatmaps(image, ["hold"])
    teacher.teach(name, picture(50, 40), PART, override=True)
    assert grounder.vocabulary.find(name) == name.lower()
    assert not np.allclose(grounder.heatmaps(image, [name]), trained, atol=0.01)
    teacher.remove(name)
    np.testing.assert_allclose(grounder.heatmaps(image, [name]), trained, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "must have a word"),
        (" _ ", "must have a word"),
        ("...", "must have a word"),
        ("line\nbreak", "printable"),
        ("../../etc", "must not contain"),
        ("hold; pour", "must not contain"),
        ("x" * 65, "at most 64"),
    ],
)
def test_a_name_that_is_no_name_is_refused(grounder: Grounder, name: str, message: str) -> None:
    teacher = Teacher(grounder)
    with pytest.raises(TeachingError, match=message):
        teacher.teach(name, picture(50, 40), PART)
    assert grounder.actions == ("hold", "press")


def test_marks_that_cannot_be_learnt_from_are_refused(grounder: Grounder) -> None:
    teacher = taught_by(grounder)
    image = picture(50, 40)
    everything = Mark(np.ones((HEIGHT, WIDTH), np.bool_), "mask")
    speck = mark_box(3, 3, 1, 1, HEIGHT, WIDTH)
    smaller = mark_box(3, 3, 9, 9, HEIGHT // 2, WIDTH // 2)
    for mark, message in (
        (everything, "leaves nothing of the picture as background"),
        (speck, "move the camera closer"),
        (smaller, "64 x 48 px, the picture is 128 x 96 px"),
    ):
        with pytest.raises(TeachingError, match=message):
            teacher.teach("press shutter", image, mark)
    assert len(teacher.taught.actions["press_shutter"].exemplars) == 1


def test_a_file_that_cannot_be_written_changes_nothing(grounder: Grounder, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    teacher = Teacher(grounder, blocked / "taught.safetensors")
    with pytest.raises(TeachingError, match="cannot be written"):
        teacher.teach("press shutter", picture(50, 40), PART)
    assert grounder.actions == ("hold", "press")
    assert not teacher.taught.actions


def test_another_backbones_file_is_refused_and_both_are_named(
    grounder: Grounder, tmp_path: Path
) -> None:
    file = tmp_path / "taught.safetensors"
    taught = taught_by(grounder, file).taught.backbone
    other = build_grounder(seed=1)
    with pytest.raises(TeachingError) as refusal:
        Teacher(other, file)
    assert taught.fingerprint[:12] in str(refusal.value)
    assert Teacher(build_grounder(seed=1)).features.identity.fingerprint[:12] in str(refusal.value)
    assert other.actions == ("hold", "press")
    expected = build_grounder(seed=1).heatmaps(picture(90, 60), ["hold", "press"])
    np.testing.assert_array_equal(other.heatmaps(picture(90, 60), ["hold", "press"]), expected)


def test_a_file_whose_action_became_a_trained_one_is_refused_with_the_fix(
    grounder: Grounder, tmp_path: Path
) -> None:
    file = tmp_path / "taught.safetensors"
    taught_by(grounder, file)
    newer = build_grounder()
    newer.vocabulary = type(newer.vocabulary)(("hold", "press_shutter"))
    with pytest.raises(TeachingError, match="choose another name"):
        Teacher(newer, file)
    assert newer.ground(picture(90, 60), "hold").heatmap.shape == (HEIGHT, WIDTH)


def test_a_damaged_file_leaves_the_grounder_as_it_was(grounder: Grounder, tmp_path: Path) -> None:
    (tmp_path / "taught.safetensors").write_bytes(b"no tensors")
    with pytest.raises(TeachingError, match="restore the file"):
        Teacher(grounder, tmp_path / "taught.safetensors")
    assert grounder.ground(picture(90, 60), "hold").heatmap.shape == (HEIGHT, WIDTH)
    taught_by(grounder)


def test_there_is_a_most_of_examples(grounder: Grounder) -> None:
    teacher = taught_by(grounder)
    exemplar = teacher.taught.actions["press_shutter"].exemplars[0]
    full = teacher.taught
    for _ in range(MAXIMUM_EXEMPLARS - 1):
        full = full.add("press_shutter", exemplar)
    with pytest.raises(TeachingError, match="remove one first"):
        full.add("press_shutter", exemplar)


def test_a_model_without_dinov2_says_that_it_cannot_be_taught(colour_grounder: Grounder) -> None:
    with pytest.raises(TeachingError, match="use the model 'default'"):
        Teacher(colour_grounder)


def test_a_closed_grounder_answers_no_taught_action(grounder: Grounder) -> None:
    taught_by(grounder)
    grounder.close()
    with pytest.raises(RuntimeError, match="closed"):
        grounder.ground(picture(90, 60), "press shutter")


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_camera_teaches_and_finds_what_an_upright_one_does(turn: int) -> None:
    """Its pictures are learned upright, so that either camera finds what the other has taught."""
    plain, turned = build_grounder(), build_grounder()
    turned.image_turn = parse_image_turn(turn)
    taught_by(plain)
    back = -turn // 90
    mark = Mark(np.ascontiguousarray(np.rot90(PART.mask, back)), PART.description)
    Teacher(turned).teach("press shutter", np.rot90(picture(50, 40), back), mark)
    expected = plain.ground_several(picture(90, 60), ["press shutter", "hold"])
    found = turned.ground_several(np.rot90(picture(90, 60), back), ["press shutter", "hold"])
    assert expected[0].found
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine.heatmap, np.rot90(other.heatmap, back))
        np.testing.assert_array_equal(mine.mask, np.rot90(other.mask, back))
