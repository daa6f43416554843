"""The slot and the thread between the executor and the model."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ros_support import DEADLINE

from affordance_grounding_ros.node.worker import Mailbox, Worker


@given(st.lists(st.booleans()))
def test_a_mailbox_holds_the_newest_item_and_counts_the_others(puts: list[bool]) -> None:
    mailbox: Mailbox[int] = Mailbox()
    waiting: int | None = None
    overwritten = 0
    for number, put in enumerate(puts):
        if put:
            assert mailbox.put(number) == (waiting is not None)
            overwritten += waiting is not None
            waiting = number
        elif waiting is not None:
            assert mailbox.take() == waiting
            waiting = None
    assert mailbox.overwritten == overwritten


def test_a_thread_waits_for_an_item() -> None:
    mailbox: Mailbox[str] = Mailbox()
    taken: list[str | None] = []
    thread = threading.Thread(target=lambda: taken.append(mailbox.take()))
    thread.start()
    mailbox.put("frame")
    thread.join(DEADLINE)
    assert taken == ["frame"]


def test_a_closed_mailbox_gives_nothing_and_takes_nothing() -> None:
    mailbox: Mailbox[str] = Mailbox()
    mailbox.put("frame")
    mailbox.close()
    mailbox.put("another")
    assert mailbox.closed
    assert mailbox.take() is None


def test_closing_ends_the_wait_of_a_thread() -> None:
    mailbox: Mailbox[str] = Mailbox()
    thread = threading.Thread(target=mailbox.take, daemon=True)
    thread.start()
    mailbox.close()
    thread.join(DEADLINE)
    assert not thread.is_alive()


def test_a_cleared_item_is_not_counted_as_overwritten() -> None:
    mailbox: Mailbox[str] = Mailbox()
    mailbox.put("frame")
    mailbox.clear()
    assert not mailbox.put("another")
    assert mailbox.take() == "another"
    assert mailbox.overwritten == 0


def test_a_worker_survives_what_its_work_raises() -> None:
    errors: list[str] = []
    done = threading.Event()

    def work(item: str) -> None:
        if item == "last":
            done.set()
            return
        raise ValueError(item)

    reported = threading.Event()

    def report(error: Exception) -> None:
        errors.append(str(error))
        reported.set()

    worker: Worker[str] = Worker(work, report)
    worker.start()
    worker.mailbox.put("first")
    assert reported.wait(DEADLINE)
    worker.mailbox.put("last")
    assert done.wait(DEADLINE)
    worker.stop()
    assert errors == ["first"]


def test_a_worker_survives_a_report_that_raises(capfd: pytest.CaptureFixture[str]) -> None:
    raised, done = threading.Event(), threading.Event()

    def work(item: str) -> None:
        if item == "last":
            done.set()
        else:
            raise ValueError(item)

    def report(error: Exception) -> None:
        raised.set()
        raise OSError("log is full")

    worker: Worker[str] = Worker(work, report)
    worker.start()
    worker.mailbox.put("first")
    assert raised.wait(DEADLINE)
    worker.mailbox.put("last")
    assert done.wait(DEADLINE)
    worker.stop()
    assert "log is full" in capfd.readouterr().err


def test_stopping_waits_for_the_item_at_work() -> None:
    begun, finish = threading.Event(), threading.Event()
    finished: list[str] = []

    def work(item: str) -> None:
        begun.set()
        assert finish.wait(DEADLINE)
        finished.append(item)

    worker: Worker[str] = Worker(work, lambda error: None)
    worker.start()
    worker.mailbox.put("frame")
    assert begun.wait(DEADLINE)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    finish.set()
    stopping.join(DEADLINE)
    assert finished == ["frame"]


def test_a_worker_that_never_started_can_be_stopped() -> None:
    Worker(print, lambda error: None).stop()


def test_requests_and_the_newest_item_are_taken_in_turn() -> None:
    mailbox: Mailbox[str] = Mailbox()
    for request in ("a", "b", "c"):
        assert mailbox.ask(request)
    mailbox.put("old")
    assert mailbox.put("new"), "it takes the place of the one before"
    taken = [mailbox.take() for _ in range(2)]
    mailbox.put("newer")
    taken += [mailbox.take() for _ in range(3)]
    assert taken == ["a", "new", "b", "newer", "c"]


def test_requests_are_bounded_and_given_back_when_the_mailbox_is_cleared() -> None:
    mailbox: Mailbox[int] = Mailbox()
    assert all(mailbox.ask(number) for number in range(Mailbox.MOST_REQUESTS))
    assert not mailbox.ask(99)
    mailbox.put(7)
    assert mailbox.clear() == list(range(Mailbox.MOST_REQUESTS))
    mailbox.close()
    assert not mailbox.ask(1)
    assert mailbox.take() is None
