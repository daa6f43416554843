"""The lifecycle node: wires topics and parameters to the model. `main` runs it as a process."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from rclpy.clock import Clock
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage, Image

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_core.inference.grounder import Grounder
from affordance_grounding_core.inference.image_memory import keep_freed_memory
from affordance_grounding_ros.common.compatibility import ClockType, values_given_at_start
from affordance_grounding_ros.common.parameters import change_callback
from affordance_grounding_ros.common.problem_log import COMMAND_BURST, ProblemLog, one_line
from affordance_grounding_ros.common.process import ClosableNode, run_node, spin
from affordance_grounding_ros.depth.stage import DepthStage, depth_figures
from affordance_grounding_ros.health.diagnostics import DiagnosticsPublisher, engine_values
from affordance_grounding_ros.health.figures import FrameFigures
from affordance_grounding_ros.health.status import NodeStatus, StatusPublisher
from affordance_grounding_ros.health.watchdogs import GraphWatch, InferenceWatch, joined
from affordance_grounding_ros.node.goal_inputs import GoalCommand, GoalInputs
from affordance_grounding_ros.node.goals import GoalError, GoalKeeper
from affordance_grounding_ros.node.image_input import ImageInput
from affordance_grounding_ros.node.pipeline import Pipeline
from affordance_grounding_ros.node.settings import PARAMETERS, GrounderSettings
from affordance_grounding_ros.node.teaching import AroundTeaching, Teaching

GrounderLoader = Callable[[str, str, int], Grounder]


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
        self._settings: GrounderSettings | None = None
        self._pipeline: Pipeline | None = None
        self._teaching: Teaching | None = None
        self._problems = ProblemLog(self._log_problem)
        self._notices = ProblemLog(self._log_notice)
        self._goals = GoalKeeper()
        self._goal_ended = ""
        self._goal_inputs = GoalInputs(self, self._on_goal)
        self._images = ImageInput(self, self._on_image)
        self._around_teaching = AroundTeaching(
            self._images, self._goals, self._notices, self._problems, self._publish_status
        )
        self._figures = FrameFigures()
        self._inference_watch = InferenceWatch()
        self._graph_watch = GraphWatch(self, self._images, self._figures.counter)
        self._status = StatusPublisher(self)
        self._diagnostics = DiagnosticsPublisher(self)
        PARAMETERS.declare(self, values_given_at_start(self))
        self.add_on_set_parameters_callback(
            change_callback(self._change_parameters, self._problems)
        )
        # Steady, so that a silent camera is noticed also while simulated time stands still.
        self._steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0, self._on_second, clock=self._steady_clock)
        self._publish_status()

    @property
    def status(self) -> NodeStatus:
        """What the node is doing now."""
        pipeline = self._pipeline
        grounder = pipeline.grounder if pipeline else None
        inference_problem = self._inference_watch.problem
        depth_problem = pipeline.depth_problem if pipeline else ""
        return NodeStatus(
            state=self._state,
            model=grounder.information.name if grounder else "",
            fingerprint=grounder.information.fingerprint if grounder else "",
            runtime=grounder.runtime if grounder else "",
            vocabulary=grounder.actions if grounder else (),
            goal=self._goals.active,
            ended=self._goals.ended,
            counts=self._figures.counter.counts,
            depth=pipeline.depth_figures if pipeline else depth_figures(None),
            problem=self._failure or inference_problem or (pipeline.problem if pipeline else ""),
            warning=joined(self._graph_watch.warning, self._images.warning, depth_problem),
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

    def survive(self, error: Exception, where: str = "a callback") -> None:
        """Report an error that nobody expected, and go on.

        Args:
            error: that was raised.
            where: what raised it.
        """
        self.get_logger().debug("".join(traceback.format_exception(error)))
        self._problems.report(
            f"{where} {type(error).__name__}",
            f"{where} failed with {type(error).__name__}: {error}; the node goes on. Details: log "
            "level debug",
        )

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
            self._failure = one_line(f"cannot {name}: {kind}{error}")
            self.get_logger().debug(traceback.format_exc())
            self._problems.report_command(self._failure)
            return TransitionCallbackReturn.FAILURE
        self._failure = ""
        self._state = reached
        self._notices.report("state", reached, COMMAND_BURST)
        self._publish_status()
        return TransitionCallbackReturn.SUCCESS

    def _configure(self) -> None:
        settings = GrounderSettings.from_values(PARAMETERS.read(self))
        self._notices.report("model", f"loading model '{settings.model}' ...", COMMAND_BURST)
        grounder = self._load(settings.model, settings.runtime, settings.input_size)
        try:
            self._teaching = Teaching(self, grounder, settings.taught_file, self._around_teaching)
            self._goals.use(grounder.vocabulary, grounder.similarity)
            self._goals.accept(settings.action)
            grounder.warm_up()
            self._settings = settings
            self._figures.restart()
            self._pipeline = self._make_pipeline(grounder, settings, self._teaching)
        except Exception:
            grounder.close()
            raise
        self._notices.report(
            "model",
            f"model '{grounder.information.name}' on {grounder.runtime}, actions: "
            f"{', '.join(grounder.actions)}",
            COMMAND_BURST,
        )
        report = grounder.runtime_report
        if report and report.degraded:
            self.get_logger().warning(
                one_line(
                    f"asked for runtime '{report.asked}', '{report.description}' answers: "
                    f"{'; '.join(report.rejected)}"
                )
            )

    def _make_pipeline(
        self, grounder: Grounder, settings: GrounderSettings, teaching: Teaching
    ) -> Pipeline:
        now, depth = self._current_settings, None
        if settings.depth_enabled:
            depth = DepthStage(self, now)
        self._images.use(settings.image_transport, depth.input if depth else None)
        try:
            held = teaching.exclusive
            keepers = (self._goals, self._figures, self._problems)
            return Pipeline(self, grounder, *keepers, now, depth, held)
        except Exception:
            if depth:
                depth.release()
            raise

    def _current_settings(self) -> GrounderSettings:
        if self._settings is None:
            raise RuntimeError("settings are read before the node is configured")
        return self._settings

    def _listen(self) -> None:
        if self._pipeline is None:
            raise RuntimeError("no model is loaded; configure the node first")
        self._pipeline.resume()
        self._goal_inputs.open()
        if self._teaching:
            self._teaching.open()
        self._images.open()

    def _stop_listening(self) -> None:
        if self._pipeline:
            self._pipeline.pause()
        self._goal_inputs.close()
        if self._teaching:
            self._teaching.close()
        self._images.close()

    def _release(self) -> None:
        pipeline, self._pipeline = self._pipeline, None
        self._goals.use(None)
        self._goal_inputs.forget()
        teaching, self._teaching = self._teaching, None
        if teaching:
            teaching.release(Pipeline.STOP_TIMEOUT)
        if pipeline:
            pipeline.close()
        self._settings = None

    def _on_image(self, message: Image | CompressedImage) -> None:
        if self._teaching:
            self._teaching.offer(message)
        if self._pipeline:
            self._pipeline.offer(message)

    def _on_goal(self, command: GoalCommand) -> None:
        self._guard("goal", lambda: self._take_goal(command))

    def _take_goal(self, command: GoalCommand) -> None:
        timeout = command.timeout or self._current_settings().goal_timeout
        try:
            goal, changed = self._goals.accept(
                command.text, command.object_name, command.threshold, timeout
            )
        except GoalError as error:
            active = self._goals.active
            stays = f"the goal '{active.text}' stays" if active else "there is still no goal"
            self._problems.report_command(f"goal refused: {error}; {stays}")
            return
        if changed:
            stop = f"stop, from {abbreviate(command.text)}" if command.text else "stop"
            said = f"goal: {goal.report if goal else stop}"
            self._notices.report("goal", said, COMMAND_BURST)
            self._follow_goal()

    def _follow_goal(self) -> None:
        if self._state == "active" and self._goals.active:
            self._images.open()
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
        self._follow_goal()

    def _on_second(self) -> None:
        self._guard("watchdog", self._look_after)
        self._publish_status()
        self._guard("diagnostics", self._diagnose)

    def _diagnose(self) -> None:
        engine = engine_values(self._pipeline.grounder if self._pipeline else None)
        self._diagnostics.publish(self.status, self._figures, engine)

    def _look_after(self) -> None:
        self._problems.settle()
        self._notices.settle()
        if warning := self._graph_watch.check():
            self.get_logger().warning(warning)
        settings, pipeline = self._settings, self._pipeline
        if settings is None or pipeline is None:
            return
        problem, note = self._inference_watch.check(pipeline.busy, settings.inference_timeout)
        if problem:
            self._problems.report("hang", problem)
        if note:
            self._notices.report("hang", note)
        ended, self._goal_ended = self._goal_ended, self._goals.ended
        if self._goal_ended and self._goal_ended != ended:
            self._notices.report("ended", self._goal_ended, COMMAND_BURST)
        if self._state == "active":
            waits = self._teaching is not None and self._teaching.check()
            needed = waits or self._goals.active is not None
            if needed:
                self._images.open()  # Again, where that failed when the goal came.
            warning = self._images.check(needed=needed, timeout=settings.image_timeout)
            if warning:
                self.get_logger().warning(warning)

    def _guard(self, name: str, act: Callable[[], None]) -> None:
        """Keeps an error in a callback from ending the process."""
        try:
            act()
        except Exception as error:
            if self.context.ok():
                self.survive(error, name)

    def _log_problem(self, line: str) -> None:
        self.get_logger().error(line)
        self._publish_status()

    def _log_notice(self, line: str) -> None:
        self.get_logger().info(line)

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

    def run(made: Callable[[ClosableNode], None]) -> None:
        keep_freed_memory()
        node = GrounderNode()
        made(node)
        node.start()
        spin(node, node.survive)

    return run_node("grounder", run, args)


if __name__ == "__main__":
    raise SystemExit(main())
