"""The lifecycle node: wires topics and parameters to the model. `main` runs it as a process."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.clock import Clock
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage, Image

from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.inference.image_memory import keep_freed_memory
from affordance_grounding_ros.common.command_line import Program
from affordance_grounding_ros.common.compatibility import ClockType, values_given_at_start
from affordance_grounding_ros.common.parameters import change_callback
from affordance_grounding_ros.common.problem_log import COMMAND_BURST, one_line
from affordance_grounding_ros.common.process import Host, run_program
from affordance_grounding_ros.common.transitions import BackgroundTransitions
from affordance_grounding_ros.health.health import NodeHealth, Observation, Patience
from affordance_grounding_ros.health.state import NodeStatus
from affordance_grounding_ros.node.goal_following import GoalFollowing
from affordance_grounding_ros.node.goals import GoalKeeper
from affordance_grounding_ros.node.ground_action import GroundAction
from affordance_grounding_ros.node.ground_service import AroundRequests, GroundService
from affordance_grounding_ros.node.image_input import ImageInput
from affordance_grounding_ros.node.loaded_model import LoadedModel
from affordance_grounding_ros.node.newest_image import NewestImage
from affordance_grounding_ros.node.pipeline import Pipeline
from affordance_grounding_ros.node.settings import PARAMETERS, GrounderSettings
from affordance_grounding_ros.node.teaching import Teaching, TeachService

GrounderLoader = Callable[[str, str, int], Grounder]


PROGRAM = Program(
    "grounder_node",
    "grounder",
    "Grounds a commanded action in camera images: heatmap, mask and grasp regions on ROS 2 topics. "
    "Subscribes to `image` (and, with depth, to `depth` and `camera_info`); commands come by "
    "`~/action`, `~/goal` or the parameter action.",
    PARAMETERS,
    "-r image:=/camera/image_raw -p action:=hold",
)


def load_model(model: str, runtime: str, input_size: int) -> Grounder:
    """Load a model of the core; the import is put off, because it takes seconds.

    Args:
        model: name or checkpoint folder.
        runtime: what runs it.
        input_size: side of the network's input in px; 0 for the model's own.
    """
    from affordance_grounding_core import load_grounder

    return load_grounder(model, runtime=runtime, input_size=input_size or None)


class GrounderNode(LifecycleNode):
    """Grounds the commanded action in camera images.

    Args:
        grounder_loader: makes a grounder from the parameters `model`, `runtime` and `input_size`.
        node_options: keyword arguments of rclpy's node, such as `parameter_overrides`.
    """

    def __init__(
        self, *, grounder_loader: GrounderLoader = load_model, **node_options: Any
    ) -> None:
        super().__init__("grounder", **node_options)
        self._load = grounder_loader
        self._state = "unconfigured"
        self._failure = ""
        self._closed = False
        self._settings: GrounderSettings | None = None
        self._model: LoadedModel | None = None
        self._goals = GoalKeeper()
        self._images = ImageInput(self, self._on_image)
        self._health = NodeHealth(self, self._images, self._observe)
        self._following = GoalFollowing(
            self,
            self._goals,
            self._health,
            lambda: self._current_settings().goal_timeout,
            self._follow_goal,
        )
        self._newest = NewestImage(self._images)
        around = AroundRequests(
            self, self._health, self._goals, self._images, self._newest, self._pipeline
        )
        self._around = around
        self._ground_service = GroundService(around)
        self._ground_action = GroundAction(around)
        self._teach_service = TeachService(around, self._teaching)
        self._transitions = BackgroundTransitions(self)
        PARAMETERS.declare(self, values_given_at_start(self))
        self.add_on_set_parameters_callback(
            change_callback(self._change_parameters, self._health.problems)
        )
        # Steady, so that a silent camera is noticed also while simulated time stands still.
        self._steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0, self._on_second, clock=self._steady_clock)
        self._health.publish()

    @property
    def status(self) -> NodeStatus:
        """The node's present status."""
        return self._health.status

    def start(self) -> bool:
        """Configure and activate, if the parameter `autostart` says so.

        Returns:
            Whether the node is active; where a transition failed, the reason has been logged.
        """
        return (
            self._starts_itself()
            and self._reached(self.trigger_configure())
            and self._reached(self.trigger_activate())
        )

    def begin(self) -> None:
        """Start as `start` does, but load the model beside the executor, which goes on."""
        if self._starts_itself():
            self._transitions.run(self.trigger_configure, self._go_on)

    def close(self) -> None:
        """Let go of the model, the thread and the topics, whatever state the node is in."""
        self._closed = True
        if self._transitions.close():
            self._free()

    def _starts_itself(self) -> bool:
        starts = self.get_parameter("autostart").value is not False
        if not starts:
            self.get_logger().info("waiting for a lifecycle manager (autostart is false)")
        return starts

    def _go_on(self, outcome: TransitionCallbackReturn) -> None:
        """Activates a node that has been configured beside the executor."""
        if self._reached(outcome):
            self._reached(self.trigger_activate())

    def _reached(self, outcome: TransitionCallbackReturn) -> bool:
        if outcome == TransitionCallbackReturn.SUCCESS:
            return True
        self.get_logger().error(
            f"autostart stopped in state '{self._state}'; after the fix above, run "
            f"`ros2 lifecycle set {self.get_fully_qualified_name()} configure` and "
            "`... activate`, or start the node again"
        )
        return False

    def _free(self) -> None:
        self._stop_listening()
        self._release()

    def destroy_node(self) -> None:
        """Free the node."""
        self._ground_action.destroy()
        super().destroy_node()

    def describe_parameter(self, name: str) -> ParameterDescriptor:
        """Describe a parameter, with its range."""
        return PARAMETERS.described(name, super().describe_parameter(name))

    def survive(self, error: Exception) -> None:
        """Report an error that nobody expected, and go on.

        Args:
            error: raised by a callback.
        """
        self._health.survive(error)

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
        return self._transition("clean up", self._free, "unconfigured")

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything, for good."""
        return self._transition("shut down", self._free, "finalized")

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything and be ready to be configured again."""
        return self._transition("recover", self._free, "unconfigured")

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
            if self._closed or not self.context.ok():
                return TransitionCallbackReturn.FAILURE  # Interrupted by the end of the process.
            stated = isinstance(error, ValueError | AffordanceGroundingError)
            kind = "" if stated else f"{type(error).__name__}: "
            self._failure = one_line(f"cannot {name}: {kind}{error}")
            self.get_logger().debug(traceback.format_exc())
            self._health.problems.report_command(self._failure)
            return TransitionCallbackReturn.FAILURE
        self._failure = ""
        self._state = reached
        self._health.notices.report("state", reached, COMMAND_BURST)
        self._health.publish()
        return TransitionCallbackReturn.SUCCESS

    def _configure(self) -> None:
        settings = GrounderSettings.from_values(PARAMETERS.read(self))
        loading = f"loading model '{settings.model}' ..."
        self._health.notices.report("model", loading, COMMAND_BURST)
        self._settings = settings  # Now: parameters may be set while the model is loaded.
        grounder = self._load(settings.model, settings.runtime, settings.input_size)
        try:
            grounder.looks = settings.looks
            if self._closed:
                raise RuntimeError("the process has ended while the model was loaded")
            self._model = LoadedModel(self, grounder, self._current_settings, self._around)
        except Exception:
            grounder.close()
            raise
        self._goals.accept(self._current_settings().action)

    def _current_settings(self) -> GrounderSettings:
        if self._settings is None:
            raise RuntimeError("settings are read before the node is configured")
        return self._settings

    def _listen(self) -> None:
        if self._model is None:
            raise RuntimeError("no model is loaded; configure the node first")
        self._model.pipeline.resume()
        self._following.inputs.open()
        self._images.open()

    def _stop_listening(self) -> None:
        self._ground_action.interrupt("the node was deactivated")
        self._newest.close("the node was deactivated")
        if self._model:
            self._model.pipeline.pause()
        self._following.inputs.close()
        self._images.close()

    def _release(self) -> None:
        model, self._model = self._model, None
        self._following.inputs.forget()
        if model:
            model.release()
        self._settings = None

    def _pipeline(self) -> Pipeline | None:
        """The part that grounds images; None unless the node is active."""
        return self._model.pipeline if self._model and self._state == "active" else None

    def _teaching(self) -> Teaching | None:
        """The part that teaches the model; None unless the node is active."""
        return self._model.teaching if self._model and self._state == "active" else None

    def _on_image(self, message: Image | CompressedImage) -> None:
        model = self._model
        if model:
            self._newest.offer(message)
            model.pipeline.offer(message)
            self._ground_action.offer()

    def _follow_goal(self) -> None:
        if self._state == "active" and self._goals.active:
            self._images.open()
            self._images.ask_again()
        self._health.publish()

    def _change_parameters(self, changes: Sequence[Parameter[Any]]) -> None:
        settings = self._settings
        values = PARAMETERS.check_change(changes, asdict(settings) if settings else None)
        if settings is None:
            return
        changed = settings.changed(values)
        if "action" in values and self._model:
            self._goals.accept(changed.action)
        self._settings = changed
        self._follow_goal()

    def _observe(self) -> Observation:
        model, settings = self._model, self._settings
        if model is None or settings is None:
            return Observation(self._state, self._failure, goal=self._goals.status)
        return Observation(
            state=self._state,
            failure=self._failure,
            grounder=model.grounder,
            goal=self._goals.status,
            requested=self._ground_action.running,
            depth=model.pipeline.depth_status,
            turn=model.turns.status,
            problem=model.pipeline.problem,
            busy=model.pipeline.busy,
            images_needed=self._needs_images,
            patience=Patience(settings.inference_timeout, settings.image_timeout),
        )

    @property
    def _needs_images(self) -> bool:
        asked = self._newest.waits or bool(self._ground_action.running)
        return asked or self._goals.active is not None

    def _on_second(self) -> None:
        self._health.guard("requests", self._newest.check)
        self._health.tick()


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted.

    Args:
        args: command line, the process's own where None.

    Returns:
        Exit code: 0 after SIGINT, SIGTERM and an ordinary shutdown.
    """

    def run(host: Host) -> None:
        keep_freed_memory()
        node = host.make(GrounderNode)
        node.begin()
        host.spin(node, node.survive)

    return run_program(PROGRAM, run, args)


if __name__ == "__main__":
    raise SystemExit(main())
