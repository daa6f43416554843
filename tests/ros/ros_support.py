"""What the node tests share: a grounder without a network, and a client on real topics."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String

from affordance_grounding_core.actions.similarity import ActionSimilarity
from affordance_grounding_core.actions.vocabulary import ActionVocabulary
from affordance_grounding_core.backbones.table import DINOV2_VITS14
from affordance_grounding_core.checkpoints.format import packaged_checkpoint
from affordance_grounding_core.files import cache_directory
from affordance_grounding_core.inference.grounder import Grounder, ModelInformation
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.inference.runtime import HeatRuntime
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.grounder_node import GrounderNode
from affordance_grounding_ros.health.status import STATES
from affordance_grounding_ros.images.conversions import array_to_image
from affordance_grounding_ros.msg import ActionGoal, AffordanceResult, GrounderStatus

NEEDS_WEIGHTS = pytest.mark.skipif(
    packaged_checkpoint("default") is None
    or not (cache_directory() / f"{DINOV2_VITS14.name}.safetensors").is_file(),
    reason="the default model's weights are not on this machine; `make setup` fetches them",
)

DEADLINE = 120.0
"""Seconds until a condition that must come true has failed to; generous for a slow machine."""
REPEAT = 10.0
"""Seconds after which an unanswered request is sent again."""

VOCABULARY = ActionVocabulary(("hold", "cut_with", "pour"), {"grasp": "hold"})


class BrightnessRuntime(HeatRuntime):
    """Finds "hold" where an image is bright, "cut_with" where it is dark, "pour" nowhere.

    `gate` closed keeps it busy, `failure` makes it raise, `calls` counts its work.
    """

    description = "brightness-cpu-fp32"

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.calls = 0
        self.closed = False

    def run(self, pixels: NDArray[np.float32], actions: Sequence[int]) -> NDArray[np.float32]:
        self.calls += 1
        assert self.gate.wait(DEADLINE), "the test never opened the gate"
        if self.failure is not None:
            # Without the trace of the last time, which would keep every image alive.
            raise self.failure.with_traceback(None)
        grey = (pixels * 0.225 + 0.45).mean(axis=0).clip(0.0, 1.0)
        heats = (grey, 1.0 - grey, np.zeros_like(grey))
        return np.stack([heats[action] for action in actions]).astype(np.float32)

    def close(self) -> None:
        self.closed = True


def make_grounder(
    runtime: BrightnessRuntime,
    name: str = "brightness",
    similarity: ActionSimilarity | None = None,
    size: int = 224,
) -> Grounder:
    """A grounder whose answers can be worked out by looking at the image."""
    return Grounder(
        runtime,
        Preprocess(PreprocessConfig("squash", size)),
        VOCABULARY,
        RegionConfig(threshold=0.7),
        ModelInformation(name, "brightness", "0" * 64),
        similarity,
    )


def bright_square(height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """A black image whose right half's upper part is white: rows 0-15, columns 32-47."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:16, 32:48] = 255
    return image


def status_texts(status: GrounderStatus) -> dict[str, str]:
    """What tests look for in a status, by name, as text."""
    state = next(name for name, number in STATES.items() if number == status.state)
    depth = (status.depth_problem or "on") if status.depth_enabled else "off"
    frames = ("received", "processed", "dropped", "idle", "refused", "failed")
    return {
        "state": state,
        "level": str(status.level),
        "message": status.summary,
        "problem": status.problem,
        "warning": status.warning,
        "last_error": status.last_error,
        "model": status.model,
        "runtime": status.runtime,
        "vocabulary": ", ".join(status.vocabulary),
        "goal": status.goal,
        "action": "; ".join(one.action for one in status.actions),
        "understood": "; ".join(one.understood for one in status.actions),
        "goal_timeout": f"{status.goal_timeout:g}",
        "goal_ended": status.goal_ended,
        **{f"frames_{name}": str(getattr(status, f"frames_{name}")) for name in frames},
        "depth": depth,
        "depth_used": str(status.depth_used),
    }


class NodeThread:
    """A node spun by a thread of its own, as in a process of its own."""

    def __init__(self, context: Context, node: Node) -> None:
        self.node = node
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(node)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        while not self._stop.is_set():
            self._executor.spin_once(timeout_sec=0.05)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._executor.shutdown()


class Client:
    """Camera, commander and listener on the topics of the grounder."""

    def __init__(self, context: Context) -> None:
        self.node = Node("client", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.images = self.node.create_publisher(Image, "image", qos.camera_output())
        self.goals = self.node.create_publisher(ActionGoal, "grounder/goal", qos.goal_latched())
        # As `ros2 topic pub` does: nothing is kept for those who come later.
        self.actions = self.node.create_publisher(String, "grounder/action", QoSProfile(depth=1))
        self.results: list[AffordanceResult] = []
        self.heatmaps: list[Image] = []
        self.masks: list[Image] = []
        self.statuses: list[GrounderStatus] = []
        for kind, topic, kept, profile in (
            (AffordanceResult, "result", self.results, qos.output()),
            (Image, "heatmap", self.heatmaps, qos.output()),
            (Image, "mask", self.masks, qos.output()),
            (GrounderStatus, "status", self.statuses, qos.status()),
        ):
            self.node.create_subscription(kind, f"grounder/{topic}", kept.append, profile)
        self._stamp = 0

    def wait(self, condition: Callable[[], Any], what: str, each: Callable[[], Any] = int) -> Any:
        """Spin until a condition holds, and do something between; fail with what was awaited."""
        deadline = time.monotonic() + DEADLINE
        while not (value := condition()):
            assert time.monotonic() < deadline, f"waited {DEADLINE:g} s for {what}"
            each()
            self.executor.spin_once(timeout_sec=0.02)
        return value

    def ask(self, service: Any, request: Any) -> Any:
        """Call a service until it answers; only for requests that may arrive twice.

        On a busy machine a service can hear a request before it has discovered who asked: DDS
        then drops the answer.
        """
        self.wait(service.service_is_ready, f"the service {service.srv_name}")
        futures: list[Any] = []
        last = -REPEAT

        def again() -> None:
            nonlocal last
            if time.monotonic() - last >= REPEAT:
                last = time.monotonic()
                futures.append(service.call_async(request))

        return self.wait(
            lambda: next((each.result() for each in futures if each.done()), None),
            f"the answer of {service.srv_name}",
            again,
        )

    def wait_for_grounder(self) -> None:
        """Wait until both sides have discovered each other, so that nothing sent is lost."""
        topics = (self.images, self.goals, self.actions)
        self.wait(lambda: all(t.get_subscription_count() for t in topics), "the grounder's inputs")
        outputs = ("result", "heatmap", "mask")
        self.wait(
            lambda: all(self.node.count_publishers(f"grounder/{name}") for name in outputs),
            "the grounder's outputs",
        )
        self.wait_for_status("active", state="active")

    def header(self, frame: str = "camera") -> Header:
        """A header with a stamp of its own: the time of now, later than the one before."""
        self._stamp = max(time.time_ns(), self._stamp + 1)
        header = Header(frame_id=frame)
        header.stamp.sec, header.stamp.nanosec = divmod(self._stamp, 10**9)
        return header

    def image(self, values: NDArray[np.uint8] | None = None) -> Image:
        """An rgb8 image message with a stamp of its own."""
        return array_to_image(bright_square() if values is None else values, "rgb8", self.header())

    def show(self, values: NDArray[np.uint8] | None = None) -> None:
        """Publish an image."""
        self.images.publish(self.image(values))

    def status(self) -> dict[str, str]:
        """Values of the last status, by key, as text; empty before the first."""
        return status_texts(self.statuses[-1]) if self.statuses else {}

    def wait_for_status(self, what: str, **expected: str) -> dict[str, str]:
        """Wait until the status holds the expected values."""
        return self.wait(
            lambda: {**self.status()} if expected.items() <= self.status().items() else None,
            f"status {what}, last: {self.status()}",
        )

    def command(self, action: str) -> None:
        """Publish an action as plain text and wait until the status shows it."""
        self.actions.publish(String(data=action))
        self.wait_for_status(f"with goal {action!r}", goal=action)

    def next_result(self, values: NDArray[np.uint8] | None = None) -> AffordanceResult:
        """Show images until one more result comes in."""
        before = len(self.results)
        self.wait(lambda: len(self.results) > before, "a result", lambda: self.show(values))
        return self.results[-1]

    def wait_for_answer(self, action: str, values: NDArray[np.uint8]) -> AffordanceResult:
        """Show images, no faster than they are answered, until one is answered for an action."""
        for _ in range(20):
            if (result := self.next_result(values)).action == action:
                return result
        raise AssertionError(f"twenty results, none for {action!r}")


def overrides(**values: Any) -> list[Parameter[Any]]:
    """Values for `parameter_overrides`, as `-p name:=value` would give them."""
    return [Parameter(name, value=value) for name, value in values.items()]


class Scene:
    """A grounder node on real topics and a client of it."""

    def __init__(self, context: Context, runtime: BrightnessRuntime | None = None) -> None:
        self.context = context
        self.runtime = runtime or BrightnessRuntime()
        self.client = Client(context)
        self.node: GrounderNode | None = None
        self._thread: NodeThread | None = None

    def start(self, *, start: bool = True, loader: Any = None, **values: Any) -> GrounderNode:
        """Start the node with parameter values and wait until it can be talked to."""
        node = GrounderNode(
            grounder_loader=loader
            or (lambda model, runtime, input_size: make_grounder(self.runtime)),
            context=self.context,
            parameter_overrides=overrides(**values),
        )
        self.node = node
        active = node.start() if start else False
        self._thread = NodeThread(self.context, node)
        if active:
            self.client.wait_for_grounder()
        return node

    def stop(self) -> None:
        self.runtime.gate.set()
        if self._thread is not None:
            self._thread.stop()
        if self.node is not None:
            self.node.close()
            self.node.destroy_node()
            self.node = self._thread = None
        self.client.executor.shutdown()
        self.client.node.destroy_node()
