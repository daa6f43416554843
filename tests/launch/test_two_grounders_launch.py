"""Two grounders at once, with one camera: each follows its own goals."""

from __future__ import annotations

import unittest

import pytest
from launch_support import (
    HAS_LAUNCH_TESTING,
    LAUNCH_FILES,
    WITHOUT_LAUNCH_TESTING,
    Observer,
    patient_shutdown,
    weights_are_here,
)

pytestmark = pytest.mark.skipif(not HAS_LAUNCH_TESTING, reason=WITHOUT_LAUNCH_TESTING)

CAMERA = "/eye/image"
GROUNDERS = {"left_arm": ("grounder", "hold"), "right_arm": ("affordances", "pour")}
"""Namespace to the node's name and its action."""

if HAS_LAUNCH_TESTING:
    import launch_testing.actions
    import launch_testing.asserts
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    from launch import LaunchDescription


@pytest.mark.launch_test
def generate_test_description() -> LaunchDescription:
    """Start two grounders of the default model, in two namespaces and with two names."""
    grounders = [
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(LAUNCH_FILES / "grounder.launch.py")),
            launch_arguments={
                "namespace": namespace,
                "name": name,
                "image_topic": CAMERA,
                "action": action,
            }.items(),
        )
        for namespace, (name, action) in GROUNDERS.items()
    ]
    return LaunchDescription(
        [*patient_shutdown(), *grounders, launch_testing.actions.ReadyToTest()]
    )


class TestTwo(unittest.TestCase):
    """What their two users see."""

    def test_each_answers_its_own_goal(self) -> None:
        if not weights_are_here():
            self.skipTest("the default model's weights are not here; `make setup` fetches them")
        observers = {
            namespace: Observer(namespace, CAMERA, name)
            for namespace, (name, _) in GROUNDERS.items()
        }
        camera = observers["left_arm"].show
        try:
            for namespace, observer in observers.items():
                action = GROUNDERS[namespace][1]
                observer.wait(lambda o=observer: o.results, f"a result of {namespace}", camera)
                assert {result.action for result in observer.results} == {action}
                # Topics keep no order among each other: the result may be here while the last
                # status that has come is one from before the goal.
                observer.wait(
                    lambda o=observer, a=action: o.status().goal == a,
                    f"the status of {namespace} to show the goal '{action}'",
                )
                assert observer.status().goal == action
                assert "nodes are called" not in observer.status().summary
        finally:
            for observer in observers.values():
                observer.close()


if HAS_LAUNCH_TESTING:

    @launch_testing.post_shutdown_test()
    class TestEnded(unittest.TestCase):
        """What is left when launch has ended the nodes."""

        def test_all_nodes_ended_cleanly(self, proc_info: object) -> None:
            launch_testing.asserts.assertExitCodes(proc_info, allowable_exit_codes=[0])
