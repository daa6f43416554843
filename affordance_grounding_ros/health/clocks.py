"""Notices clocks that do not fit: a camera's that differs from the node's, a /clock that is silent.

Durations inside the node are taken by a clock that always runs. The node's own clock, which a
simulator or a recording may drive, is compared with the stamps of the images only.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from rclpy.node import Node

_KEPT = 512
"""Images whose age on arrival is remembered: more than come while the model is at one of them."""


class ClockWatch:
    """Compares the stamps of images with the node's clock. Safe between two threads.

    Args:
        node: node whose clock it is.
        clock: seconds that never go back.
    """

    AHEAD, BEHIND = 0.5, 2.0
    """Seconds that a stamp may lie after or before the node's clock when its image arrives. A
    simulator ticks ten times a second; a network holds an image up for less than two seconds."""

    IMAGES = 3
    """Images in a row that must tell the same: a recording that starts over may mix two."""

    PATIENCE = 3.0
    """Seconds that a simulated clock may be silent, or stand still while images arrive."""

    def __init__(self, node: Node, clock: Callable[[], float] = time.monotonic) -> None:
        self._node = node
        self._clock = clock
        self._made = clock()
        self._ages: OrderedDict[int, float] = OrderedDict()
        self._side = 0
        self._row = 0
        self._arrived = -math.inf
        self._moved = (clock(), -1)
        self._offset_warning = ""
        self._time_warning = ""
        self._news: list[str] = []

    @property
    def warning(self) -> str:
        """The present problem; empty while nothing is."""
        return self._time_warning or self._offset_warning

    def arrived(self, stamp: Any) -> None:
        """Note an image that has just arrived.

        Args:
            stamp: stamp of the header; zero where there is none.
        """
        self._arrived = self._clock()
        taken, now = _nanoseconds(stamp), self._look()
        if not taken or not now:
            return
        age = (now - taken) * 1e-9
        self._ages[taken] = age
        while len(self._ages) > _KEPT:
            self._ages.popitem(last=False)
        side = int(age > self.BEHIND) - int(age < -self.AHEAD)
        self._row = self._row + 1 if side == self._side else 1
        self._side = side
        if self._row >= self.IMAGES:
            self._settle(side, age)

    def latency(self, stamp: Any) -> float:
        """How old an image is now, by the node's clock.

        Args:
            stamp: stamp of the header.

        Returns:
            Seconds, not negative; NaN where the clocks cannot tell.
        """
        taken, now = _nanoseconds(stamp), self._now()
        age = self._ages.get(taken, 0.0)
        if not taken or not now or not -self.AHEAD <= age <= self.BEHIND:
            return math.nan
        seconds = (now - taken) * 1e-9
        return seconds if seconds >= 0.0 else math.nan

    def check(self) -> str:
        """Look whether the node's clock runs; call it every second.

        Returns:
            A warning that has just become due, empty otherwise.
        """
        warning = self._standstill()
        if warning and not self._time_warning:
            self._news.append(warning)
        if self._time_warning and not warning:
            self._node.get_logger().info("'/clock' runs again")
        self._time_warning = warning
        news, self._news = self._news, []
        return "; ".join(news)

    def _settle(self, side: int, age: float) -> None:
        """Warns, or takes the warning back, where enough images have told the same."""
        if not side:
            if self._offset_warning:
                self._node.get_logger().info("the images' stamps fit this node's clock again")
            self._offset_warning = ""
            return
        known = bool(self._offset_warning)
        self._offset_warning = self._describe(age)
        if not known:
            self._news.append(self._offset_warning)

    def _describe(self, age: float) -> str:
        simulated = self._simulated()
        name = "'/clock' (use_sim_time)" if simulated else "this computer's clock"
        way = (
            "set use_sim_time to false for a live camera"
            if simulated
            else "for a recording or a simulator set use_sim_time to true and publish '/clock' "
            "(`ros2 bag play --clock`)"
        )
        if age < 0.0:
            return (
                f"the camera's clock is {-age:.1f} s ahead of {name}: latency is not known, and TF "
                f"and depth may not fit; synchronise the clocks (NTP, PTP), or {way}"
            )
        return (
            f"images are {age:.1f} s old by {name} when they arrive, so latency is not known: the "
            "camera's clock is behind, images are held up on the way, or a recording is played; "
            f"synchronise the clocks (NTP, PTP), or {way}"
        )

    def _standstill(self) -> str:
        now = self._look()
        if not self._simulated():
            return ""
        if not now:
            if self._clock() - self._made < self.PATIENCE:
                return ""
            who = self._node.get_publishers_info_by_topic("/clock")
            named = ", ".join(f"{one.node_namespace.rstrip('/')}/{one.node_name}" for one in who)
            return (
                "use_sim_time is true and nothing has come on '/clock' (publishers found: "
                f"{named or 'none'}), so this node's clock stands at 0 and latency is not known; "
                "start the simulator or `ros2 bag play --clock`, or set use_sim_time to false"
            )
        if self._arrived - self._moved[0] < self.PATIENCE:
            return ""  # Nothing arrives while a simulation is paused.
        return (
            f"'/clock' stands still at {now * 1e-9:.1f} s although images arrive; latency is not "
            "known: look after the simulator or the player, or set use_sim_time to false"
        )

    def _look(self) -> int:
        """Reads the node's clock, and notes when it moved last."""
        now = self._now()
        if now != self._moved[1]:
            self._moved = (self._clock(), now)
        return now

    def _simulated(self) -> bool:
        return self._node.get_parameter("use_sim_time").value is True

    def _now(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)


def _nanoseconds(stamp: Any) -> int:
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)
