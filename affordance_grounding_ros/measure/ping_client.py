"""A camera that waits for the answer to one image before it sends the next."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from affordance_grounding_ros.client.grounder_client import GrounderClient, NoAnswerError
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.images.conversions import array_to_image
from affordance_grounding_ros.msg import ActionGoal, AffordanceResult


class MeasuringClient(GrounderClient):
    """A client that is a camera too.

    Args:
        name: name of the client's own node.
        check: called while waiting; raises where waiting has become pointless.
    """

    def __init__(self, name: str, check: Callable[[], None]) -> None:
        super().__init__(name, check)
        self._images = qos.create_publisher(self._node, Image, "image", qos.camera_output())


def picture(height: int, width: int, seed: int = 0) -> Image:
    """A picture with smooth shapes; how large it is matters here, not what is in it.

    Args:
        height: rows, px.
        width: columns, px.
        seed: another one gives another picture.
    """
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin((seed + 1) * rows / 97 + k) * np.cos(columns / (31 + 7 * k)) for k in range(3)]
    values = (127.5 + 127.5 * np.stack(waves, axis=-1)).astype(np.uint8)
    return array_to_image(values, "rgb8", Header(frame_id="camera_optical_frame"))


def distribution_ms(seconds: Any, digits: int) -> dict[str, float | None]:
    """Median, 95th percentile and maximum of durations.

    Args:
        seconds: durations, an array of numbers.
        digits: behind the point.

    Returns:
        "p50", "p95" and "max" in milliseconds; None where there are no durations.
    """
    values = np.asarray(seconds)
    if not values.size:
        return {"p50": None, "p95": None, "max": None}
    p50, p95, most = np.percentile(values, (50, 95, 100)) * 1e3
    return {
        name: round(float(v), digits) for name, v in (("p50", p50), ("p95", p95), ("max", most))
    }


def told_ms(durations: Any) -> dict[str, float | None]:
    """What the node itself says of its last frames.

    Args:
        durations: DurationFigures of its status.

    Returns:
        "p50", "p95" and "max" in milliseconds; None where it does not say.
    """
    told = {"p50": durations.median, "p95": durations.percentile_95, "max": durations.maximum}
    return {
        name: None if math.isnan(seconds) else round(1e3 * seconds, 2)
        for name, seconds in told.items()
    }


ANSWER_TIMEOUT = 20.0
"""Seconds after which an image or its answer counts as lost."""


class PingClient(MeasuringClient):
    """Asks the node `grounder`, one image at a time; use it in a `with` statement.

    Results are taken as the bytes that arrived: what it takes to turn them into a message is
    the listener's business and not the node's.

    Args:
        check: called while waiting; raises where waiting has become pointless.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        super().__init__("ping", check)
        self._node.create_subscription(
            AffordanceResult, "grounder/result", self._on_result, qos.output(), raw=True
        )
        self._arrived: list[tuple[float, bytes]] = []
        self.lost = 0

    def start(self, timeout: float) -> None:
        """Wait until the grounder has loaded its model, and command its first action.

        Args:
            timeout: seconds to wait.

        Raises:
            NoAnswerError: it is not active in time, or says that it cannot be.
        """
        action = self.wait_until_active(timeout).vocabulary[0]
        self._goals.publish(ActionGoal(action=action))
        self._wait(
            lambda: self._images.get_subscription_count() > 0, 60.0, "the grounder to subscribe"
        )
        self.spin(1.0)  # both sides have to hear of each other

    def ask(self, picture: Image) -> tuple[float, float]:
        """Send an image and wait for its result.

        Args:
            picture: gets a stamp.

        Returns:
            Seconds from before publishing until the result's bytes were here, by the clock; and
            seconds of inference that the result tells of.

        Raises:
            NoAnswerError: no answer, twice in a row.
        """
        for _ in range(2):
            picture.header.stamp = self._node.get_clock().now().to_msg()
            self._arrived.clear()
            sent = time.perf_counter()
            self._images.publish(picture)
            while time.perf_counter() - sent < ANSWER_TIMEOUT:
                self._executor.spin_once(timeout_sec=0.5)
                self._check()
                for arrived, data in self._arrived:
                    result = deserialize_message(data, AffordanceResult)
                    if result.header.stamp == picture.header.stamp:
                        return arrived - sent, float(result.inference_seconds)
                self._arrived.clear()
            self.lost += 1
        raise NoAnswerError(
            f"no result for two images within {ANSWER_TIMEOUT:g} s each; {self._last_words}"
        )

    def _on_result(self, data: bytes) -> None:
        self._arrived.append((time.perf_counter(), data))
