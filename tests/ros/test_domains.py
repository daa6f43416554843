"""Test runs beside each other do not hear each other."""

from __future__ import annotations

import os

import pytest
from ros_domain import DOMAINS, enter_own_domain


def domain(monkeypatch: pytest.MonkeyPatch, given: str | None, worker: str | None = None) -> int:
    for name, value in (("ROS_DOMAIN_ID", given), ("PYTEST_XDIST_WORKER", worker)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    enter_own_domain.__wrapped__()
    return int(os.environ["ROS_DOMAIN_ID"])


def test_the_domain_of_the_environment_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert domain(monkeypatch, "42") == 42


def test_without_one_the_process_chooses_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert domain(monkeypatch, None) == os.getpid() % DOMAINS + 1


@pytest.mark.parametrize("given", [None, "7", "99"])
def test_workers_of_one_run_have_a_domain_each(
    monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    found = {domain(monkeypatch, given, f"gw{number}") for number in range(8)}
    assert len(found) == 8
    assert all(1 <= one <= DOMAINS for one in found)
