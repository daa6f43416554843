"""Start, goal, result, and all of that again after the process was killed."""

from __future__ import annotations

import unittest

import pytest
from launch_support import (
    HAS_LAUNCH_TESTING,
    LAUNCH_FILES,
    WITHOUT_LAUNCH_TESTING,
    Observer,
    kill,
    patient_shutdown,
    processes_of,
    weights_are_here,
)

pytestmark = pytest.mark.skipif(not HAS_LAUNCH_TESTING, reason=WITHOUT_LAUNCH_TESTING)

NAMESPACE = "respawned"

if HAS_LAUNCH_TESTING:
    import launch_testing.actions
    import launch_testing.asserts
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    from launch import LaunchDescription


@pytest.mark.launch_test
def generate_test_description() -> LaunchDescription:
    """Start the default model, to be started again whenever it ends."""
    grounder = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(LAUNCH_FILES / "grounder.launch.py")),
        launch_arguments={
            "namespace": NAMESPACE,
            "image_topic": "camera/image",
            "respawn": "true",
            "respawn_delay": "0.5",
        }.items(),
    )
    return LaunchDescription([*patient_shutdown(), grounder, launch_testing.actions.ReadyToTest()])


class TestRespawn(unittest.TestCase):
    """What a robot sees of a grounder that is killed."""

    def test_results_come_back_without_a_new_command(self, proc_info: object) -> None:
        from affordance_grounding_ros.msg import ActionGoal

        if not weights_are_here():
            self.skipTest("the default model's weights are not here; `make setup` fetches them")
        observer = Observer(NAMESPACE, "camera/image")
        try:
            observer.goals.publish(ActionGoal(action="hold"))
            observer.wait(lambda: observer.results, "a result", observer.show)
            assert observer.results[-1].action == "hold"
            (first,) = processes_of(NAMESPACE)
            kill(first)
            observer.wait(
                lambda: processes_of(NAMESPACE) not in ([], [first]), "the process to be back"
            )
            observer.results.clear()
            observer.statuses.clear()
            observer.wait(lambda: observer.status().goal == "hold", "the goal to be back")
            observer.wait(lambda: observer.results, "a result of the new one", observer.show)
            assert observer.results[-1].action == "hold"
            assert observer.results[-1].header.frame_id == "camera"
        finally:
            observer.close()


if HAS_LAUNCH_TESTING:

    @launch_testing.post_shutdown_test()
    class TestEnded(unittest.TestCase):
        """What is left when launch has ended the nodes."""

        def test_all_but_the_killed_one_ended_cleanly(self, proc_info: object) -> None:
            launch_testing.asserts.assertExitCodes(proc_info, allowable_exit_codes=[0, -9])

        def test_no_node_left_a_traceback(self, proc_output: object) -> None:
            for process in proc_output.processes():
                text = b"".join(event.text for event in proc_output[process]).decode()
                assert "Traceback" not in text
