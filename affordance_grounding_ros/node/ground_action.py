"""The action ~/ground_action: results until there are enough; and why a goal is rejected."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.action.server import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_ros.action import Ground
from affordance_grounding_ros.common import qos
from affordance_grounding_ros.common.compatibility import ClockType
from affordance_grounding_ros.common.deferred import Deferred
from affordance_grounding_ros.common.problem_log import COMMAND_BURST, one_line
from affordance_grounding_ros.common.rate_limit import RateLimit
from affordance_grounding_ros.health.status import understood_action
from affordance_grounding_ros.node.goals import ActiveGoal, GoalError, goal_status
from affordance_grounding_ros.node.ground_service import AroundRequests
from affordance_grounding_ros.node.pipeline import NOT_ACTIVE, GroundRequest
from affordance_grounding_ros.srv import CheckGoal

MAXIMUM_FRAMES = 100_000
"""Results that one goal may ask for."""

SILENCE = 5.0
"""Seconds without a result after which a goal ends."""

RESULTS_KEPT = 10
"""Seconds that the result of a goal which has ended is kept for those who ask."""


@dataclass(frozen=True)
class _End:
    code: int
    message: str


class _Run:
    """One goal on its way; the executor's thread alone touches it, but for `over`."""

    def __init__(self, handle: Any, goal: ActiveGoal, over: Deferred[_End], now: float) -> None:
        self.handle = handle
        self.goal = goal
        self.over = over
        self.begun = self.heard = now
        self.frames = 0
        self.best: Any = None
        self.at_work = False
        self.problem = ""

    @property
    def wanted(self) -> int:
        """Results after which the goal succeeds; 0: as many as there are in time."""
        asked = self.handle.request
        return int(asked.frames) or (0 if asked.timeout else 1)

    def take(self, result: Any) -> None:
        """Count a result, and keep it if it is the best."""
        self.frames += 1
        best = self.best
        if best is None or (result.found, result.score) >= (best.found, best.score):
            self.best = result


class GroundAction:
    """Runs one goal at a time; a newer one takes its place.

    Args:
        around: parts of the node.
        clock: seconds that never go back.
    """

    MOST_GOALS = 30
    """Goals accepted in the time that results are kept, which bounds how many are."""

    def __init__(
        self,
        around: AroundRequests,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._around = around
        self._clock = clock
        self._run: _Run | None = None
        self._runs: dict[bytes, _Run] = {}
        self._rate = RateLimit(self.MOST_GOALS, RESULTS_KEPT, clock)
        self._server: ActionServer[Any, Any, Any] = ActionServer(
            around.node,
            Ground,
            "~/ground_action",
            self._execute,
            callback_group=ReentrantCallbackGroup(),
            goal_callback=self._on_goal,
            handle_accepted_callback=self._on_accepted,
            cancel_callback=self._on_cancel,
            result_timeout=RESULTS_KEPT,
        )
        # Steady, so that goals end also while simulated time stands still.
        self._steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = around.node.create_timer(
            0.1, lambda: around.health.guard("goal", self._check), clock=self._steady_clock
        )
        self._timer.cancel()
        self._check_service = qos.create_service(
            around.node, CheckGoal, "~/check_goal", self._on_check
        )

    @property
    def running(self) -> str:
        """Action of the goal that runs; empty while there is none."""
        run = self._run
        return run.goal.summary if run else ""

    def offer(self) -> None:
        """Have the newest image grounded for the goal that runs; call it with each image."""
        run, pipeline = self._run, self._around.pipeline()
        if run is None or run.at_work or pipeline is None:
            return
        run.at_work = True
        pipeline.request(
            GroundRequest(
                goal=run.goal,
                image=self._newest,
                from_camera=True,
                images=False,
                answer=lambda result: self._later(self._on_result, run, result),
                refuse=lambda reason: self._later(self._on_refused, run, reason),
            )
        )

    def _check(self) -> None:
        """Ends the goal that runs where its time is over."""
        run = self._run
        if run is None:
            self._timer.cancel()
            return
        now, timeout = self._clock(), run.handle.request.timeout
        if timeout and now - run.begun >= timeout:
            enough = run.frames > 0 and not run.wanted
            code = Ground.Result.DONE if enough else Ground.Result.TIMED_OUT
            self._end(run, code, f"{run.frames} result(s) in {timeout:g} s{_because(run)}")
        elif not run.at_work and now - run.heard >= SILENCE:
            missing = run.problem or "no image came; check the camera and the topic 'image'"
            said = f"no result for {SILENCE:g} s after {run.frames}: {missing}"
            self._end(run, Ground.Result.TIMED_OUT, said)

    def interrupt(self, reason: str) -> None:
        """End the goal that runs, from any thread.

        Args:
            reason: text for whoever commanded it.
        """
        if run := self._run:
            self._end(run, Ground.Result.INTERRUPTED, reason)

    def destroy(self) -> None:
        """Take the action away."""
        self._server.destroy()

    def _on_check(self, request: Any, response: Any) -> Any:
        try:
            goal = self._checked(request)
        except GoalError as error:
            response.reason, response.closest_names = one_line(str(error)), list(error.closest)
            return response
        response.accepted = True
        response.actions = [understood_action(one) for one in goal_status(goal).actions]
        return response

    def _checked(self, asked: Any) -> ActiveGoal:
        """The goal of a request.

        Raises:
            GoalError: it cannot be followed, or not now.
        """
        if self._around.pipeline() is None:
            raise GoalError(NOT_ACTIVE)
        if asked.frames > MAXIMUM_FRAMES:
            raise GoalError(
                f"goal {abbreviate(asked.action)} asks for {asked.frames} results; expected at "
                f"most {MAXIMUM_FRAMES}"
            )
        return self._around.goals.resolve_one(
            asked.action, asked.object_name, asked.threshold, asked.timeout
        )

    def _on_goal(self, asked: Any) -> GoalResponse:
        try:
            self._checked(asked)
            if not self._rate.allows():
                raise GoalError(
                    f"{self._rate.most} goals were accepted within {self._rate.interval:g} s; "
                    "send them less often"
                )
        except GoalError as error:
            self._around.health.problems.report_command(f"~/ground_action rejected: {error}")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _on_accepted(self, handle: Any) -> None:
        over: Deferred[_End] = Deferred(self._around.node)
        text = handle.request.action
        try:
            goal = self._checked(handle.request)
        except GoalError as error:  # The node was deactivated at this very moment.
            over.give(_End(Ground.Result.INTERRUPTED, str(error)))
            goal = ActiveGoal(text, (text,))
        run = _Run(handle, goal, over, self._clock())
        self._runs[bytes(handle.goal_id.uuid)] = run
        if over.given:
            handle.execute()
            return
        older, self._run = self._run, run
        if older is not None:
            self._end(older, Ground.Result.PREEMPTED, f"a newer goal came: {goal.report}")
        said = f"~/ground_action: {goal.report}"
        self._around.health.notices.report("ground_action", said, COMMAND_BURST)
        handle.execute()
        self._timer.reset()
        self._around.images.open()
        self._around.images.ask_again()

    def _on_cancel(self, handle: Any) -> CancelResponse:
        run = self._runs.get(bytes(handle.goal_id.uuid))
        if run is None or run.over.given:
            return CancelResponse.REJECT
        self._end(run, Ground.Result.CANCELED, f"canceled after {run.frames} result(s)")
        return CancelResponse.ACCEPT

    async def _execute(self, handle: Any) -> Any:
        key = bytes(handle.goal_id.uuid)
        run = self._runs[key]
        try:
            end = await run.over.wait()
        finally:
            self._runs.pop(key, None)
        if end.code == Ground.Result.DONE:
            handle.succeed()
        elif end.code == Ground.Result.CANCELED:
            handle.canceled()
        else:
            handle.abort()
        self._around.health.publish()
        result = Ground.Result(code=end.code, message=one_line(end.message), frames=run.frames)
        if run.best is not None:
            result.best = run.best
        return result

    def _on_result(self, run: _Run, result: Any) -> None:
        run.at_work, run.heard, run.problem = False, self._clock(), ""
        if run.over.given:
            return
        run.take(result)
        run.handle.publish_feedback(Ground.Feedback(result=result, frames=run.frames))
        if run.wanted and run.frames >= run.wanted:
            self._end(run, Ground.Result.DONE, f"{run.frames} result(s)")

    def _on_refused(self, run: _Run, reason: str) -> None:
        run.at_work, run.problem = False, reason

    def _end(self, run: _Run, code: int, message: str) -> None:
        if self._run is run:
            self._run = None
        run.over.give(_End(code, message))

    def _newest(self) -> Any:
        image = self._around.newest.latest
        if image is None:
            raise GoalError("the image is gone: the node was deactivated meanwhile")
        return image

    def _later(self, act: Callable[[_Run, Any], None], run: _Run, value: Any) -> None:
        """Does something in the executor's thread."""
        executor = self._around.node.executor
        if executor is not None:
            executor.create_task(act, run, value)


def _because(run: _Run) -> str:
    return f": {run.problem}" if run.problem and not run.frames else ""
