"""Goals as they come by topics and by the parameter `action`: followed, or refused out loud."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_ros.common.problem_log import COMMAND_BURST
from affordance_grounding_ros.health.health import NodeHealth
from affordance_grounding_ros.node.goal_inputs import GoalCommand, GoalInputs
from affordance_grounding_ros.node.goals import GoalError, GoalKeeper


class GoalFollowing:
    """Hands commands to the keeper of the goal, and says what became of them.

    Args:
        node: node that subscribes.
        goals: gets the commands.
        health: logs, and publishes the status.
        default_timeout: seconds that a goal lives which brings no timeout of its own; 0: for ever.
        changed: called after each change of the goal.
    """

    def __init__(
        self,
        node: Node,
        goals: GoalKeeper,
        health: NodeHealth,
        default_timeout: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        self._goals = goals
        self._health = health
        self._default_timeout = default_timeout
        self._changed = changed
        self.inputs = GoalInputs(node, self._on_goal)

    def _on_goal(self, command: GoalCommand) -> None:
        self._health.guard("goal", lambda: self._take(command))

    def _take(self, command: GoalCommand) -> None:
        timeout = command.timeout or self._default_timeout()
        try:
            goal, changed = self._goals.accept(
                command.text, command.object_name, command.threshold, timeout
            )
        except GoalError as error:
            active = self._goals.active
            stays = f"the goal '{active.text}' stays" if active else "there is still no goal"
            self._health.problems.report_command(f"goal refused: {error}; {stays}")
            return
        if changed:
            stop = f"stop, from {abbreviate(command.text)}" if command.text else "stop"
            said = f"goal: {goal.report if goal else stop}"
            self._health.notices.report("goal", said, COMMAND_BURST)
            self._changed()
