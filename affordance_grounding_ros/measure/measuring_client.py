"""What the clients share that measure the node: a camera, its pictures, and the node's figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from affordance_grounding_ros.client.grounder_client import GrounderClient
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.images.conversions import array_to_image


class MeasuringClient(GrounderClient):
    """A client that is a camera too, and listens to the figures on `/diagnostics`.

    Args:
        name: of the client's own node.
        check: called while waiting; raises where waiting has become pointless.
    """

    def __init__(self, name: str, check: Callable[[], None]) -> None:
        super().__init__(name, check)
        self._images = qos.create_publisher(self._node, Image, "image", qos.camera_output())
        self._diagnostics: dict[str, str] = {}
        self._node.create_subscription(
            DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.diagnostics()
        )

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self._diagnostics = {pair.key: pair.value for pair in message.status[0].values}


def picture(height: int, width: int, seed: int = 0) -> Image:
    """A picture with smooth shapes; how large it is matters here, not what is in it.

    Args:
        height: in px.
        width: in px.
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


def diagnosed_ms(diagnostics: dict[str, str], quantity: str) -> dict[str, float | None]:
    """What the node itself says of its last frames.

    Args:
        diagnostics: of the grounder, by name.
        quantity: such as "overhead".

    Returns:
        "p50", "p95" and "max" in milliseconds; None where it does not say.
    """
    texts = {name: diagnostics.get(f"{quantity}_{name}_ms", "") for name in ("p50", "p95", "max")}
    return {name: float(text) if text else None for name, text in texts.items()}
