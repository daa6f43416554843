"""Parameters: refused with the reason, or applied at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rcl_interfaces.srv import DescribeParameters
from rclpy.parameter import Parameter
from ros_support import Scene, overrides

from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_ros.common.parameters import ParameterError, ParameterSpecification
from affordance_grounding_ros.node import parameter_docs
from affordance_grounding_ros.node.settings import PARAMETERS, GrounderSettings

Lines = Callable[[], list[tuple[str, str]]]

REPOSITORY = Path(__file__).parents[2]
CONFIG = REPOSITORY / "config" / "grounder.yaml"
DEFAULTS = {name: row.default for name, row in PARAMETERS.specifications.items()}


def set_one(scene: Scene, name: str, value: Any) -> tuple[bool, str]:
    assert scene.node is not None
    result = scene.node.set_parameters(overrides(**{name: value}))[0]
    return result.successful, result.reason


WRONG = {
    "threshold": ["high", True, [0.5], 1.5, -0.1, float("nan"), float("inf")],
    "action": [3, True, "juggle", "x" * 5000, "hold\n"],
    "maximum_regions": [1.5, "many", -1, 100_000],
    "minimum_region_area": ["small", 2.0],
    "minimum_region_score": [None, -2.0],
    "overlay_colormap": ["jet", 1],
    "overlay_opacity": [1.01, "half"],
    "image_timeout": [-1.0, "soon"],
    "image_turn": ["45", 90.0, "left"],
}


def test_wrong_values_are_refused_with_the_reason(scene: Scene, log: Lines) -> None:
    scene.start(action="hold")
    for name, values in WRONG.items():
        for value in values:
            successful, reason = set_one(scene, name, value)
            assert not successful, f"{name} = {value!r}"
            assert reason
            assert ("error", f"parameters not changed: {reason}") in log()
            assert scene.node.get_parameter(name).value != value
    assert scene.client.next_result().action == "hold"


def test_the_threshold_and_the_regions_change_at_once(scene: Scene) -> None:
    scene.start(action="hold")
    client = scene.client
    assert client.next_result().threshold == pytest.approx(0.7), "the model's own"
    assert set_one(scene, "threshold", 0.9) == (True, "")
    client.wait(
        lambda: client.results[-1].threshold == pytest.approx(0.9), "the threshold", client.show
    )
    assert set_one(scene, "minimum_region_area", 0.5) == (True, "")
    client.wait(lambda: not client.results[-1].found, "no region", client.show)
    assert set_one(scene, "minimum_region_area", -1) == (True, ""), "a whole number is a double"
    client.wait(lambda: client.results[-1].found, "the region", client.show)
    assert set_one(scene, "minimum_region_score", 1.0) == (True, "")
    assert set_one(scene, "threshold", 0) == (True, "")
    client.wait(
        lambda: client.results[-1].threshold == pytest.approx(0.7), "the model's own", client.show
    )


def test_the_action_changes_at_once_and_stops(scene: Scene) -> None:
    scene.start()
    assert set_one(scene, "action", "cut with") == (True, "")
    assert scene.client.next_result().action == "cut_with"
    assert set_one(scene, "action", "") == (True, "")
    scene.client.wait_for_status("without a goal", message="waiting for a goal")


@pytest.mark.parametrize("name", ["model", "runtime", "upright_frame"])
def test_what_was_loaded_cannot_change_while_it_is_loaded(scene: Scene, name: str) -> None:
    scene.start()
    successful, reason = set_one(scene, name, "other")
    assert not successful
    assert "needs a reconfigure" in reason
    unchanged = scene.node.get_parameter(name).value
    assert set_one(scene, name, unchanged) == (True, ""), "as `ros2 param load` does"


def test_autostart_is_read_only(scene: Scene) -> None:
    scene.start()
    assert not set_one(scene, "autostart", False)[0]


def test_a_parameter_cannot_be_deleted(scene: Scene) -> None:
    scene.start()
    result = scene.node.set_parameters([Parameter("threshold", Parameter.Type.NOT_SET)])[0]
    assert not result.successful
    assert scene.node.has_parameter("threshold")


def test_all_or_nothing_of_a_set_applies(scene: Scene) -> None:
    node = scene.start(action="hold")
    result = node.set_parameters_atomically(overrides(threshold=0.2, action="juggle"))
    assert not result.successful
    assert node.get_parameter("threshold").value == 0.0
    assert scene.client.next_result().threshold == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("name", "value", "expectation"),
    [
        ("threshold", "high", "parameter 'threshold' must be a double in [0, 1], got string"),
        ("threshold", 7.5, "parameter 'threshold' must be a double in [0, 1], got 7.5"),
        ("model", 3, "parameter 'model' must be a string, got integer '3'"),
        ("maximum_regions", 2.5, "parameter 'maximum_regions' must be an integer"),
        (
            "image_turn",
            45,
            "parameter 'image_turn' must be a string one of ['0', '90', '180', '270', 'auto']",
        ),
    ],
)
def test_a_wrong_value_at_the_start_fails_the_configuration_until_it_is_put_right(
    scene: Scene, log: Lines, name: str, value: Any, expectation: str
) -> None:
    node = scene.start(**{name: value})
    errors = [text for level, text in log() if level == "error"]
    assert errors[0].startswith(f"cannot configure: {expectation}")
    assert set_one(scene, name, DEFAULTS[name]) == (True, "")
    assert node.start()
    scene.client.wait_for_status("active", state="active", level="0")


def test_a_misspelled_parameter_is_pointed_out(scene: Scene, log: Lines) -> None:
    scene.start(treshold=0.4)
    warning = next(text for level, text in log() if level == "warn")
    assert warning == (
        "parameter 'treshold' does not exist and has no effect; did you mean 'threshold'?"
    )


def test_parameters_are_described(scene: Scene) -> None:
    scene.start(autostart=False)
    client = scene.client
    service = client.node.create_client(DescribeParameters, "grounder/describe_parameters")
    answer = client.ask(service, DescribeParameters.Request(names=list(DEFAULTS)))
    for descriptor in answer.descriptors:
        row = PARAMETERS.specifications[descriptor.name]
        assert descriptor.description.startswith(row.description)
        assert row.constraints in descriptor.additional_constraints
        assert row.type_name in descriptor.additional_constraints
        assert descriptor.read_only == row.read_only
        ranges = [*descriptor.floating_point_range, *descriptor.integer_range]
        limited = row.minimum is not None and row.maximum is not None
        assert len(ranges) == int(limited), "what draws sliders needs the range"
        if limited:
            assert (ranges[0].from_value, ranges[0].to_value) == (row.minimum, row.maximum)


def test_a_whole_number_leaves_a_double_a_double(scene: Scene) -> None:
    node = scene.start(autostart=False, threshold=1)
    assert node.get_parameter("threshold").type_ == Parameter.Type.DOUBLE
    for value in (0, 1):
        assert set_one(scene, "threshold", value) == (True, "")
        stored = node.get_parameter("threshold")
        assert (stored.type_, stored.value) == (Parameter.Type.DOUBLE, float(value))
    assert node.set_parameters_atomically(overrides(depth_wait=1)).successful
    assert node.get_parameter("depth_wait").type_ == Parameter.Type.DOUBLE
    assert set_one(scene, "maximum_regions", 2.0)[0] is False, "no integer is made of a double"


def test_a_choice_that_looks_like_a_number_may_be_given_as_one(scene: Scene) -> None:
    node = scene.start(image_turn=90, looks=2)
    assert node.status.state == "active"
    assert node.get_parameter("image_turn").value == "90"
    assert node.get_parameter("looks").value == "2"
    assert set_one(scene, "image_turn", 90) == (True, ""), "as `ros2 param load` does"


def test_the_configuration_file_holds_every_parameter_with_its_default() -> None:
    content = yaml.safe_load(CONFIG.read_text())
    (values,) = content.values()
    assert values["ros__parameters"] == DEFAULTS


def test_what_is_documented_is_what_the_table_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert parameter_docs.main(["--root", str(REPOSITORY)]) == 0, (
        f"{capsys.readouterr().out}; `python -m affordance_grounding_ros.parameter_docs --write`"
    )


def test_the_documentation_is_written_and_then_agrees(tmp_path: Path) -> None:
    root = ["--root", str(tmp_path)]
    page = tmp_path / parameter_docs.PAGE
    page.parent.mkdir(parents=True)
    (tmp_path / "config").mkdir()
    page.write_text("no marks")
    assert parameter_docs.main([*root, "--write"]) == 1
    marks = f"{parameter_docs.BEGIN}\n\na table of before\n\n{parameter_docs.END}"
    page.write_text(f"before\n{marks}\nafter\n")
    assert parameter_docs.main([*root, "--write"]) == 1
    readme = tmp_path / parameter_docs.README
    readme.write_text(f"{parameter_docs.INTERFACES_BEGIN}\n{parameter_docs.INTERFACES_END}\n")
    assert parameter_docs.main(root) == 1
    assert parameter_docs.main([*root, "--write"]) == 0
    assert parameter_docs.main(root) == 0
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "a table of before" not in text
    for row in PARAMETERS.specifications.values():
        assert f"| `{row.name}` | {row.type_name} |" in text
        assert row.description in text


def test_the_settings_of_a_model_hold_where_a_parameter_leaves_the_choice() -> None:
    of_model = RegionConfig(0.31, 0.02, 0.4, 5)
    settings = GrounderSettings.from_values(DEFAULTS)
    assert settings.regions(of_model) == of_model
    changed = settings.changed({"threshold": 0.6, "minimum_region_area": 0.0, "maximum_regions": 2})
    assert changed.regions(of_model) == RegionConfig(0.6, 0.0, 0.4, 2)


@given(st.floats() | st.integers() | st.text() | st.booleans() | st.none() | st.lists(st.floats()))
def test_a_value_is_accepted_as_its_type_or_refused_with_its_name(value: object) -> None:
    row = ParameterSpecification("share", 0.5, "A share.", minimum=0.0, maximum=1.0)
    refusal = row.problem(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        assert refusal == ""
        assert isinstance(row.validate(value), float)
        assert row.validate(value) == value
    else:
        assert "parameter 'share' must be a double in [0, 1], got" in refusal
        with pytest.raises(ParameterError):
            row.validate(value)
