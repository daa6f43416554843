"""Regions for consumers of vision_msgs: the package where it is installed, stand-ins elsewhere."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from rclpy.context import Context
from rclpy.node import Node
from ros_support import BrightnessRuntime, Scene, bright_square, make_grounder
from std_msgs.msg import Header

from affordance_grounding_ros.common import qos
from affordance_grounding_ros.node.detections import (
    detections_message,
    label_info,
    make_detections,
)


@dataclass
class Hypothesis:
    class_id: str = ""
    score: float = 0.0


@dataclass
class HypothesisWithPose:
    hypothesis: Hypothesis = field(default_factory=Hypothesis)


@dataclass
class Detection:
    header: Any = None
    id: str = ""
    results: list[Any] = field(default_factory=list)
    bbox: Any = field(
        default_factory=lambda: SimpleNamespace(
            center=SimpleNamespace(position=SimpleNamespace(x=0.0, y=0.0), theta=0.0),
            size_x=0.0,
            size_y=0.0,
        )
    )


@dataclass
class Detections:
    header: Any = None
    detections: list[Any] = field(default_factory=list)


@dataclass
class Class:
    class_id: int = 0
    class_name: str = ""


@dataclass
class Labels:
    class_map: list[Class]
    threshold: float


MESSAGES = SimpleNamespace(
    Detection2DArray=Detections,
    Detection2D=Detection,
    ObjectHypothesisWithPose=HypothesisWithPose,
    LabelInfo=Labels,
    VisionClass=Class,
)
"""The fields of vision_msgs 4, as its documentation names them."""


def test_every_region_is_a_detection_with_the_number_of_its_action() -> None:
    grounder = make_grounder(BrightnessRuntime())
    result = grounder.ground(bright_square(480, 640), "hold")
    header = Header(frame_id="camera")
    made = detections_message(MESSAGES, header, result, "0")
    assert made.header == header
    (one,) = made.detections
    (region,) = result.regions
    assert (one.results[0].hypothesis.class_id, one.results[0].hypothesis.score) == (
        "0",
        pytest.approx(region.score),
    )
    center, box = one.bbox.center.position, region.box
    assert (one.bbox.size_x, one.bbox.size_y) == (box.width, box.height)
    assert (center.x - one.bbox.size_x / 2, center.y - one.bbox.size_y / 2) == (
        box.x - 0.5,
        box.y - 0.5,
    )
    none = detections_message(MESSAGES, header, grounder.ground(bright_square(), "pour"), "2")
    assert none.detections == []


def test_the_labels_are_the_actions_in_their_order() -> None:
    labels = label_info(MESSAGES, ("hold", "pour"), 0.5)
    assert [(one.class_id, one.class_name) for one in labels.class_map] == [
        (0, "hold"),
        (1, "pour"),
    ]
    assert labels.threshold == 0.5


def test_without_vision_msgs_there_are_no_detections(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vision_msgs.msg", None)
    node = Node("grounder", context=context)
    assert make_detections(node) is None
    node.destroy_node()


def test_consumers_of_vision_msgs_get_the_regions_and_what_their_numbers_mean(scene: Scene) -> None:
    messages = pytest.importorskip(
        "vision_msgs.msg", reason="vision_msgs comes with a ROS 2 distribution, not with PyPI"
    )
    detections: list[Any] = []
    labels: list[Any] = []
    subscribe = scene.client.node.create_subscription
    subscribe(messages.Detection2DArray, "grounder/detections", detections.append, qos.output())
    subscribe(messages.LabelInfo, "grounder/label_info", labels.append, qos.status())
    scene.start(action="hold")
    scene.client.wait(lambda: labels, "the labels")
    scene.client.wait(lambda: detections, "detections", scene.client.show)
    (one,) = detections[0].detections
    names = {entry.class_id: entry.class_name for entry in labels[0].class_map}
    assert names[int(one.results[0].hypothesis.class_id)] == "hold"
    center = one.bbox.center.position
    assert (center.x, center.y) == (39.5, 7.5)
    assert (one.bbox.size_x, one.bbox.size_y) == (16.0, 16.0)
    assert detections[0].header.frame_id == "camera"
