from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from affordance_grounding_core.commands.common import load_model
from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_core.inference import image_memory
from affordance_grounding_core.inference.image_memory import keep_freed_memory

FAULTS = """
import resource, sys
import numpy as np
from affordance_grounding_core.commands.common import load_model
from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_core.inference import image_memory
from affordance_grounding_core.inference.image_memory import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
np.ones(2**23, np.uint8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    np.ones(2**23, np.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

needs_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc lets a process keep freed memory"
)


def faults(way: str) -> int:
    command = [sys.executable, "-c", FAULTS, way]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return int(finished.stdout)


@needs_glibc
def test_the_memory_of_an_image_is_used_again() -> None:
    assert faults("keep") < faults("default") / 10


def test_other_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()


def test_commands_that_load_a_model_keep_the_memory_of_pictures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(image_memory, "keep_freed_memory", lambda: asked.append(True))
    with pytest.raises(AffordanceGroundingError):
        load_model("no-such-model", "eager")
    assert asked == [True]
