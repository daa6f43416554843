"""A parameter file with wrong values, and one that is no YAML: both are named, nothing hangs."""

from __future__ import annotations

import subprocess
import sys
import unittest

import pytest
from launch_support import (
    DEADLINE,
    HAS_LAUNCH_TESTING,
    LAUNCH_FILES,
    WITHOUT_LAUNCH_TESTING,
    Observer,
    given_file,
)

pytestmark = pytest.mark.skipif(not HAS_LAUNCH_TESTING, reason=WITHOUT_LAUNCH_TESTING)

WRONG_VALUES = """
/**:
  ros__parameters:
    threshold: high
    maximum_regions: -3
    treshold: 0.5
"""
NO_YAML = "/**: [ros__parameters"
LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

description = IncludeLaunchDescription(
    PythonLaunchDescriptionSource(sys.argv[1]),
    launch_arguments={"params_file": "/no/such/parameters.yaml"}.items(),
)
service = LaunchService()
service.include_launch_description(LaunchDescription([description]))
sys.exit(service.run())
"""

if HAS_LAUNCH_TESTING:
    import launch_testing.actions
    import launch_testing.asserts
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    from launch import LaunchDescription


@pytest.mark.launch_test
def generate_test_description() -> LaunchDescription:
    """Start one grounder with each file."""
    files = {"wrong_values": WRONG_VALUES, "no_yaml": NO_YAML}
    grounders = [
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(LAUNCH_FILES / "grounder.launch.py")),
            launch_arguments={
                "namespace": name,
                "params_file": given_file(f"{name}.yaml", content.encode()),
            }.items(),
        )
        for name, content in files.items()
    ]
    return LaunchDescription([*grounders, launch_testing.actions.ReadyToTest()])


class TestBadParameters(unittest.TestCase):
    """What an operator sees of them."""

    def test_every_wrong_value_is_named(self, proc_output: object) -> None:
        for text in (
            "parameter 'treshold' does not exist and has no effect; did you mean 'threshold'?",
            "parameter 'threshold' must be a double in [0, 1], got string 'high'",
            "parameter 'maximum_regions' must be an integer in [0, 1000], got -3",
        ):
            proc_output.assertWaitFor(text, timeout=DEADLINE)

    def test_the_node_stays_and_says_what_is_wrong(self) -> None:
        observer = Observer("wrong_values", "image")
        try:
            observer.wait(lambda: observer.status().level == 2, "the status")
            assert observer.status().state == 1
            assert "maximum_regions" in observer.status().summary
        finally:
            observer.close()

    def test_a_file_that_is_missing_is_refused_before_anything_starts(self) -> None:
        # In a process of its own: launch runs in the main thread alone, and tests do not.
        finished = subprocess.run(
            [sys.executable, "-c", LAUNCH, str(LAUNCH_FILES / "grounder.launch.py")],
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE,
        )
        assert finished.returncode == 1
        assert "/no/such/parameters.yaml" in finished.stdout + finished.stderr
        assert "process started" not in finished.stdout + finished.stderr

    def test_a_file_that_is_no_yaml_ends_the_process_with_its_name(
        self, proc_output: object
    ) -> None:
        proc_output.assertWaitFor("command line refused: ", timeout=DEADLINE)
        proc_output.assertWaitFor("no_yaml.yaml", timeout=DEADLINE)


if HAS_LAUNCH_TESTING:

    @launch_testing.post_shutdown_test()
    class TestEnded(unittest.TestCase):
        """What is left when launch has ended the nodes."""

        def test_no_node_left_a_traceback(self, proc_output: object) -> None:
            for process in proc_output.processes():
                text = b"".join(event.text for event in proc_output[process]).decode()
                assert "Traceback" not in text

        def test_one_ended_cleanly_and_the_other_with_an_error(self, proc_info: object) -> None:
            codes = sorted(info.returncode for info in proc_info)
            assert codes == [0, 1]
