"""The client that soak, benchmark and demo share: it waits for a grounder, and says for what."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from ros_support import DEADLINE, VOCABULARY

from affordance_grounding_ros.client.grounder_client import GrounderClient, NoAnswerError
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.health.figures import FrameCounts, FrameFigures
from affordance_grounding_ros.health.state import NodeStatus
from affordance_grounding_ros.health.status import status_message
from affordance_grounding_ros.measure.ping_client import distribution_ms, picture, told_ms
from affordance_grounding_ros.msg import DurationFigures, GrounderStatus
from affordance_grounding_ros.node.goals import GoalKeeper, goal_status


class Ended(Exception):
    """What the check of a client raises here."""


@pytest.fixture
def grounder(context: Context) -> Iterator[Node]:
    """A node whose only likeness to a grounder is its status."""
    node = Node("stand_in", context=context)
    yield node
    node.destroy_node()


def tell(grounder: Node, status: NodeStatus) -> None:
    """Publish a status for those who come and those who are there."""
    publisher = grounder.create_publisher(GrounderStatus, "grounder/status", qos.status())
    publisher.publish(status_message(status))


def test_the_status_of_an_active_grounder_is_given(grounder: Node) -> None:
    tell(grounder, NodeStatus(state="active", vocabulary=("hold", "pour")))
    with GrounderClient("client", lambda: None) as client:
        status = client.wait_until_active(DEADLINE)
    assert list(status.vocabulary) == ["hold", "pour"]
    assert (status.summary, status.level) == ("waiting for a goal", GrounderStatus.OK)
    assert not rclpy.ok(), "it has left ROS"


def test_a_grounder_that_cannot_start_is_not_waited_for(grounder: Node) -> None:
    tell(grounder, NodeStatus(problem="cannot configure: no model"))
    with (
        GrounderClient("client", lambda: None) as client,
        pytest.raises(NoAnswerError, match="the grounder cannot start: cannot configure: no model"),
    ):
        client.wait_until_active(100 * DEADLINE)


def test_who_waits_in_vain_says_for_what_and_what_was_heard(grounder: Node) -> None:
    with (
        GrounderClient("client", lambda: None) as client,
        pytest.raises(
            NoAnswerError, match=r"waited 0\.1 s for the grounder to be active; .*status: none"
        ),
    ):
        client.wait_until_active(0.1)
    tell(grounder, NodeStatus(state="inactive", counts=FrameCounts(received=3)))
    with GrounderClient("client", lambda: None) as client:
        client.frame_counts(DEADLINE)
        with pytest.raises(NoAnswerError, match="last status: inactive"):
            client.wait_until_active(0.1)


def test_waiting_ends_where_it_has_become_pointless() -> None:
    def check() -> None:
        raise Ended

    with GrounderClient("client", check) as client:
        for wait in (client.wait_until_active, client.frame_counts, client.spin):
            with pytest.raises(Ended):
                wait(DEADLINE)
    assert not rclpy.ok()


def test_counts_are_those_of_the_next_status(grounder: Node) -> None:
    tell(grounder, NodeStatus(state="active", counts=FrameCounts(received=7, dropped=2)))
    with GrounderClient("client", lambda: None) as client:
        counts = client.frame_counts(DEADLINE)
        assert (counts["received"], counts["dropped"], counts["processed"]) == (7, 2, 0)
        with pytest.raises(NoAnswerError, match="for a status"):
            client.frame_counts(0.1)


def test_a_status_says_how_a_goal_was_understood_and_how_long_images_took() -> None:
    goals = GoalKeeper()
    goals.use(VOCABULARY)
    goals.accept("grasp; pour")
    figures = FrameFigures()
    figures.inference.add(0.25)
    message = status_message(NodeStatus(state="active", goal=goals.status), figures)
    assert [one.action for one in message.actions] == ["hold", "pour"]
    assert [one.understood for one in message.actions] == [
        "hold (alias, 1.00)",
        "pour (exact, 1.00)",
    ]
    assert message.actions[0].candidates[0] == "hold"
    assert message.actions[0].confidences[0] == 1.0
    assert message.inference.median == message.inference.maximum == 0.25
    assert goal_status(None, "ended").ended == "ended"


def test_durations_are_told_in_milliseconds() -> None:
    assert distribution_ms([], 2) == {"p50": None, "p95": None, "max": None}
    assert distribution_ms([0.1, 0.2, 0.30004], 2) == {"p50": 200.0, "p95": 290.04, "max": 300.04}
    told = DurationFigures(median=0.0015, percentile_95=math.nan, maximum=0.25)
    assert told_ms(told) == {"p50": 1.5, "p95": None, "max": 250.0}


def test_pictures_differ_by_their_seed() -> None:
    first, again, other = picture(24, 32), picture(24, 32, 0), picture(24, 32, 1)
    assert (first.height, first.width, first.encoding) == (24, 32, "rgb8")
    assert first == again
    assert first.data != other.data
