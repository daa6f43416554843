"""The lifecycle node: wires topics and parameters to the model. `main` runs it as a process."""

from __future__ import annotations

import signal
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import rclpy
from rclpy.clock import Clock
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image
from std_msgs.msg import String

from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_ros import qos
from affordance_grounding_ros.compatibility import ClockType, shut_down_ros, values_given_at_start
from affordance_grounding_ros.goals import GoalError, GoalKeeper
from affordance_grounding_ros.grounder_parameters import PARAMETERS, GrounderSettings
from affordance_grounding_ros.image_watch import ImageWatch
from affordance_grounding_ros.msg import ActionGoal
from affordance_grounding_ros.parameters import change_callback
from affordance_grounding_ros.pipeline import Pipeline
from affordance_grounding_ros.problem_log import ProblemLog
from affordance_grounding_ros.status import FrameCounter, NodeStatus, StatusPublisher

GrounderLoader = Callable[[str, str], Grounder]


def load_model(model: str, runtime: str) -> Grounder:
    """Load a model of the core; the import is put off, because it takes seconds.

    Args:
        model: name or checkpoint folder.
        runtime: what runs it.
    """
    from affordance_grounding_core import load_grounder

    return load_grounder(model, runtime=runtime)


class GrounderNode(LifecycleNode):
    """Grounds the commanded action in camera images.

    Args:
        grounder_loader: makes a grounder from the parameters `model` and `runtime`.
        node_options: keyword arguments of rclpy's node, such as `parameter_overrides`.
    """

    def __init__(
        self, *, grounder_loader: GrounderLoader = load_model, **node_options: Any
    ) -> None:
        super().__init__("grounder", **node_options)
        self._load = grounder_loader
        self._state = "unconfigured"
        self._failure = ""
        self._settings: GrounderSettings | None = None
        self._pipeline: Pipeline | None = None
        self._inputs: list[Subscription[Any]] = []
        self._goals = GoalKeeper()
        self._goals_taken: deque[int] = deque(maxlen=64)
        self._frames = FrameCounter()
        self._watch = ImageWatch()
        self._status = StatusPublisher(self)
        self._problems = ProblemLog(self._log_problem)
        PARAMETERS.declare(self, values_given_at_start(self))
        self.add_on_set_parameters_callback(change_callback(self, self._change_parameters))
        # Steady, so that a silent camera is noticed also while simulated time stands still.
        self._steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0, self._on_second, clock=self._steady_clock)
        self._publish_status()

    @property
    def status(self) -> NodeStatus:
        """What the node is doing now."""
        pipeline = self._pipeline
        grounder = pipeline.grounder if pipeline else None
        return NodeStatus(
            state=self._state,
            model=grounder.information.name if grounder else "",
            runtime=grounder.runtime if grounder else "",
            vocabulary=grounder.actions if grounder else (),
            goal=self._goals.active,
            counts=self._frames.counts,
            problem=self._failure or (pipeline.problem if pipeline else ""),
            warning=self._watch.warning,
            last_error=self._problems.last,
        )

    def start(self) -> bool:
        """Configure and activate, if the parameter `autostart` says so.

        Returns:
            Whether the node is active; where a transition failed, the reason has been logged.
        """
        if self.get_parameter("autostart").value is False:
            self.get_logger().info("waiting for a lifecycle manager (autostart is false)")
            return False
        for transition in (self.trigger_configure, self.trigger_activate):
            if transition() != TransitionCallbackReturn.SUCCESS:
                self.get_logger().error(
                    f"autostart stopped in state '{self._state}'; after the fix above, run "
                    f"`ros2 lifecycle set {self.get_fully_qualified_name()} configure` and "
                    "`... activate`, or start the node again"
                )
                return False
        return True

    def close(self) -> None:
        """Let go of the model, the thread and the topics, whatever state the node is in."""
        self._stop_listening()
        self._release()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters and load the model; FAILURE with the reason where that fails."""
        return self._transition("configure", self._configure, "inactive", undo=self._release)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to images and goals."""
        return self._transition("activate", self._listen, "active", undo=self._stop_listening)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and publish nothing more; model and goal stay."""
        return self._transition("deactivate", self._stop_listening, "inactive")

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model; waits for the image at work."""
        return self._transition("clean up", self.close, "unconfigured")

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything, for good."""
        return self._transition("shut down", self.close, "finalized")

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything and be ready to be configured again."""
        return self._transition("recover", self.close, "unconfigured")

    def _transition(
        self,
        name: str,
        act: Callable[[], None],
        reached: str,
        undo: Callable[[], None] | None = None,
    ) -> TransitionCallbackReturn:
        try:
            act()
        except Exception as error:
            if undo:
                undo()
            if not self.context.ok():
                return TransitionCallbackReturn.FAILURE  # Interrupted by the end of the process.
            stated = isinstance(error, ValueError | AffordanceGroundingError)
            kind = "" if stated else f"{type(error).__name__}: "
            self._failure = f"cannot {name}: {kind}{error}"
            self.get_logger().debug(traceback.format_exc())
            self._problems.report_always(self._failure)
            return TransitionCallbackReturn.FAILURE
        self._failure = ""
        self._state = reached
        self.get_logger().info(f"{reached}")
        self._publish_status()
        return TransitionCallbackReturn.SUCCESS

    def _configure(self) -> None:
        settings = GrounderSettings.from_values(PARAMETERS.read(self))
        self.get_logger().info(f"loading model '{settings.model}' ...")
        grounder = self._load(settings.model, settings.runtime)
        try:
            self._goals.use(grounder.vocabulary)
            self._goals.accept(settings.action)
            grounder.warm_up()
            self._settings = settings
            self._pipeline = Pipeline(
                self, grounder, self._goals, self._frames, self._problems, self._current_settings
            )
        except Exception:
            grounder.close()
            raise
        self.get_logger().info(
            f"model '{grounder.information.name}' on {grounder.runtime}, actions: "
            f"{', '.join(grounder.actions)}"
        )

    def _current_settings(self) -> GrounderSettings:
        if self._settings is None:
            raise RuntimeError("settings are read before the node is configured")
        return self._settings

    def _listen(self) -> None:
        if self._pipeline is None:
            raise RuntimeError("no model is loaded; configure the node first")
        self._pipeline.resume()
        self._watch.restart()
        self._inputs = [
            qos.create_subscription(self, String, "~/action", self._on_action, qos.goal_live()),
            # A latching subscription does not match publishers that keep nothing, and the
            # other one does not get what was sent before; goals may come either way. Those of
            # a publisher that both match come twice.
            qos.create_subscription(self, ActionGoal, "~/goal", self._on_goal, qos.goal_live()),
            qos.create_subscription(
                self,
                ActionGoal,
                "~/goal",
                self._on_goal,
                qos.goal_latched(),
                name="latched",
                report_incompatible=False,
            ),
            qos.create_subscription(self, Image, "image", self._on_image, qos.image_input()),
        ]

    def _stop_listening(self) -> None:
        if self._pipeline:
            self._pipeline.pause()
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs = []
        self._watch.restart()

    def _release(self) -> None:
        pipeline, self._pipeline = self._pipeline, None
        self._goals.use(None)
        self._goals_taken.clear()
        if pipeline:
            pipeline.close()
        self._settings = None

    def _on_image(self, message: Image) -> None:
        if self._watch.arrived():
            self.get_logger().info("images arrive again")
        if self._pipeline:
            self._pipeline.offer(message)

    def _on_action(self, message: String) -> None:
        self._take_goal(message.data)

    def _on_goal(self, message: ActionGoal, info: Mapping[str, int]) -> None:
        sent = info["source_timestamp"]
        if sent and sent in self._goals_taken:
            return  # Through the other subscription, or before the node was deactivated.
        self._goals_taken.append(sent)
        self._take_goal(message.action, message.object_name, message.threshold)

    def _take_goal(self, text: str, object_name: str = "", threshold: float = 0.0) -> None:
        try:
            goal, changed = self._goals.accept(text, object_name, threshold)
        except GoalError as error:
            active = self._goals.active
            stays = f"the goal '{active.text}' stays" if active else "there is still no goal"
            self._problems.report_always(f"goal refused: {error}; {stays}")
            return
        if changed:
            self.get_logger().info(f"goal: '{goal.action}'" if goal else "goal: stop")
            self._publish_status()

    def _change_parameters(self, changes: Sequence[Parameter[Any]]) -> None:
        settings = self._settings
        values = PARAMETERS.check_change(changes, asdict(settings) if settings else None)
        if settings is None:
            return
        changed = settings.changed(values)
        if "action" in values:
            self._goals.accept(changed.action)
        self._settings = changed
        self._publish_status()

    def _on_second(self) -> None:
        if self._state == "active" and self._settings:
            topic = self.resolve_topic_name("image")
            warning = self._watch.check(
                self._settings.image_timeout, topic, lambda: self._publishers_of(topic)
            )
            if warning:
                self.get_logger().warning(warning)
        self._publish_status()

    def _publishers_of(self, topic: str) -> str:
        endpoints = self.get_publishers_info_by_topic(topic)
        return qos.described_endpoints(endpoints) if endpoints else ""

    def _log_problem(self, line: str) -> None:
        self.get_logger().error(line)
        self._publish_status()

    def _publish_status(self) -> None:
        try:
            self._status.publish(self.status)
        except Exception:
            if self.context.ok():
                raise


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted.

    Args:
        args: command line, the process's own where None.

    Returns:
        Exit code: 0 after SIGINT, SIGTERM and an ordinary shutdown.
    """
    node: GrounderNode | None = None
    try:
        rclpy.init(args=args)
        # Made now, not by spin: a signal in the midst of making it leaves half an executor,
        # whose end is a traceback.
        rclpy.get_global_executor()
        node = GrounderNode()
        node.start()
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception:
        # Whatever fails once the context is down, fails because it is down.
        if rclpy.ok():
            raise
    finally:
        # A second signal, as from Ctrl-C under a launch, must not break the clean-up off.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if node is not None:
            node.close()
            node.destroy_node()
        shut_down_ros()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
