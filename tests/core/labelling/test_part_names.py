"""The table of part names: complete for AGD20K, extendable, and exact about mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from affordance_grounding_core.errors import PartNameError
from affordance_grounding_core.labelling.part_names import (
    PACKAGED_FILE,
    PartNames,
    load_part_names,
    object_phrase,
    parse_parts,
    read_part_names,
)

AGD20K_PAIRS = """
beat drum; boxing punching_bag; brush_with toothbrush; carry skateboard skis snowboard surfboard;
catch frisbee rugby_ball soccer_ball; cut apple banana carrot orange; cut_with knife scissors;
drag suitcase; drink_with bottle cup wine_glass; eat apple banana broccoli carrot hot_dog orange;
hit axe baseball_bat hammer tennis_racket; hold axe badminton_racket baseball_bat book bottle bowl
cup fork frisbee golf_clubs hammer knife scissors skateboard skis snowboard suitcase surfboard
tennis_racket toothbrush wine_glass; jump skateboard skis snowboard surfboard; kick punching_bag
rugby_ball soccer_ball; lie_on bed bench couch surfboard; lift fork; look_out binoculars; open book
bottle microwave oven refrigerator suitcase; pack suitcase; peel apple banana carrot orange;
pick_up suitcase skis; pour bottle cup wine_glass; push bicycle motorcycle; ride bicycle motorcycle;
sip bottle cup wine_glass; sit_on bed bench bicycle chair couch motorcycle skateboard surfboard;
stick fork knife; stir bowl; swing badminton_racket baseball_bat golf_clubs tennis_racket;
take_photo camera cell_phone; talk_on cell_phone; text_on cell_phone; throw baseball basketball
discus frisbee javelin rugby_ball soccer_ball; type_on keyboard laptop; wash bowl carrot cup fork
knife orange toothbrush wine_glass; write pen
"""


def agd20k_pairs() -> set[tuple[str, str]]:
    lines = [line.split() for line in AGD20K_PAIRS.split(";")]
    return {(action, name) for action, *names in lines for name in names}


@pytest.fixture(scope="module")
def names() -> PartNames:
    return load_part_names()


def test_the_table_covers_exactly_the_pairs_of_agd20k(names: PartNames) -> None:
    assert len(agd20k_pairs()) == 124
    assert set(names.entries) == agd20k_pairs()
    assert len({action for action, _ in names.entries}) == 36
    assert len({name for _, name in names.entries}) == 50


@pytest.mark.parametrize(
    ("action", "name", "phrases"),
    [
        ("hold", "hammer", ("hammer handle",)),
        ("hit", "hammer", ("hammer handle",)),
        ("hit", "baseball_bat", ("baseball bat",)),
        ("swing", "baseball_bat", ("baseball bat handle",)),
        ("cut_with", "scissors", ("scissors blade",)),
        ("stick", "fork", ("fork tines",)),
        ("sip", "bottle", ("bottle cap",)),
        ("pour", "wine_glass", ("wine glass neck",)),
        ("open", "oven", ("oven door handle",)),
        ("ride", "bicycle", ("bicycle handlebars", "bicycle pedal", "bicycle seat")),
        ("throw", "discus", ("discus",)),
    ],
)
def test_agd20k_conventions(
    names: PartNames, action: str, name: str, phrases: tuple[str, ...]
) -> None:
    assert names.phrases(action, name) == phrases


def test_whole_objects_are_told_from_parts(names: PartNames) -> None:
    assert names.is_whole_object("wash", "cup")
    assert not names.is_whole_object("hold", "cup")
    whole = {pair for pair in names.entries if names.is_whole_object(*pair)}
    assert 55 <= len(whole) <= 75, "about half of the pairs have no part that stands out"


def test_a_robot_hits_with_the_head_and_knows_more_objects(names: PartNames) -> None:
    robot = load_part_names("robot")
    assert robot.phrases("hit", "hammer") == ("hammer head",)
    assert robot.phrases("hold", "hammer") == ("hammer handle",)
    assert robot.phrases("open", "drawer") == ("drawer handle",)
    assert agd20k_pairs() < set(robot.entries)
    assert ("open", "drawer") not in names.entries
    with pytest.raises(PartNameError, match=r"style must be one of \['agd20k', 'robot'\]"):
        load_part_names("human")  # type: ignore[arg-type]


def test_a_users_file_and_the_command_line_add_and_override(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("open:\n  jar: jar lid\n  bottle: cork\nhold: {ladle: [grip, hook]}\n")
    names = load_part_names("agd20k", file, ["open/jar=red lid; seal", "hit/hammer=head"])
    assert names.phrases("open", "jar") == ("red lid", "seal")
    assert names.phrases("open", "bottle") == ("cork",)
    assert names.phrases("hold", "ladle") == ("grip", "hook")
    assert names.phrases("hit", "hammer") == ("head",)
    assert names.entries["open", "bottle"].source == f"{file}:3"
    assert names.entries["hit", "hammer"].source == "--part"


def test_actions_of_the_data_may_be_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("scrub:\n  pan: pan\n")
    assert load_part_names("agd20k", file, actions=["scrub"]).phrases("scrub", "pan") == ("pan",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hold: {cup: handle}\nopne: {jar: lid}\n", r":2: unknown action 'opne'.*closest: 'open'"),
        ("hold:\n  cup: ''\n", r":2: empty phrase"),
        ("hold:\n  cup:\n  fork: tines\n", r":2: empty phrase"),
        ("hold:\n  cup: []\n", r":2: hold/cup has no phrase"),
        ("hold:\n  cup: a\n  cup: b\n", r":3: 'cup' stands here and at line 2"),
        ("hold: {cup: a}\npour: {cup: b}\nhold: {pan: c}\n", r":3: 'hold' stands here.* line 1"),
        ("hold: cup\n", r":1: expected a mapping .* got 'cup'"),
        ("- hold\n", r":1: expected a mapping .* got a list"),
        ("hold:\n  cup: {a: b}\n", r":2: expected words, got a list or a mapping"),
        ("hold:\n  cup: 3\n", r":2: expected words, YAML reads '3' as a int; put it in quotes"),
        ("hold:\n  Cup: handle\n", r":2: 'Cup' must be lower case words joined by underscores"),
        ("hold:\n  ../cup: handle\n", r":2: '../cup' must be lower case words"),
        ("hold:\n  cup: handle. cup\n", r":2: phrase 'handle. cup' must be .* without full stops"),
        ("hold: {cup: a\n", r":2: not YAML"),
        ("hold: !!python/object/apply:os.system [x]\n", r":1: expected a mapping .* got a list"),
        ("", "no entry"),
    ],
)
def test_mistakes_are_named_with_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(PartNameError, match=rf"mine\.yaml.*{message}|mine\.yaml{message}"):
        load_part_names("agd20k", file)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(PartNameError, match=r"missing\.yaml' cannot be read: No such file"):
        read_part_names(tmp_path / "missing.yaml", ["hold"])
    (tmp_path / "latin.yaml").write_bytes(b"hold: {cup: \xe4\xf6}\n")
    with pytest.raises(PartNameError, match=r"latin\.yaml' are not UTF-8"):
        read_part_names(tmp_path / "latin.yaml", ["hold"])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["open=jar lid"], "expected ACTION/OBJECT=PHRASE"),
        (["open/jar"], "expected ACTION/OBJECT=PHRASE"),
        (["open/jar= "], "expected ACTION/OBJECT=PHRASE"),
        (["opne/jar=lid"], r"unknown action 'opne'.*'open'"),
        (["open/jar=lid", "open/jar=cap"], "given twice"),
        (["open/Jar=lid"], "lower case words"),
    ],
)
def test_mistakes_on_the_command_line_are_named(parts: list[str], message: str) -> None:
    with pytest.raises(PartNameError, match=rf"--part .*{message}"):
        parse_parts(parts, ["open", "hold"])


def test_missing_pairs_are_named_with_the_place_of_their_action(names: PartNames) -> None:
    line = next(
        number
        for number, text in enumerate(PACKAGED_FILE.read_text().splitlines(), start=1)
        if text.strip() == "open:"
    )
    with pytest.raises(PartNameError) as caught:
        names.require([("open", "jar"), ("fold", "towel"), ("hold", "cup")])
    message = str(caught.value)
    assert f"open/jar (action 'open' is at part_names.yaml:{line + 1})" in message
    assert "fold/towel (no 'fold' at all)" in message
    assert '--part "fold/towel=PHRASE"' in message
    assert "hold/cup" not in message


def test_object_classes_become_words() -> None:
    assert object_phrase("wine_glass") == "wine glass"
