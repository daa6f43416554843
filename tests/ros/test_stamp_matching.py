"""Messages and images find each other by their stamps, in whatever order they arrive."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affordance_grounding_ros.depth.stamp_matching import StampMatcher

MS = 10**6
FOREVER = 30.0


def matcher(**sizes: int) -> StampMatcher[str]:
    return StampMatcher(**sizes)


def test_the_same_stamp_is_found_whichever_comes_first() -> None:
    streams = matcher()
    streams.add(100 * MS, "before")
    assert streams.claim(100 * MS).wait(FOREVER) == (0, "before")
    claim = streams.claim(200 * MS)
    streams.add(200 * MS, "after")
    assert claim.wait(FOREVER) == (0, "after")


def test_the_same_stamp_goes_before_a_near_one() -> None:
    streams = matcher()
    streams.add(99 * MS, "near")
    claim = streams.claim(100 * MS)
    assert claim.nearest == (-MS, "near")
    streams.add(100 * MS, "same")
    assert claim.wait(FOREVER) == (0, "same")


def test_a_message_after_the_image_ends_the_wait() -> None:
    streams = matcher()
    streams.add(80 * MS, "before")
    claim = streams.claim(100 * MS)
    streams.add(130 * MS, "after")
    assert claim.wait(FOREVER) == (-20 * MS, "before")


def test_a_claim_is_served_while_it_is_waited_for() -> None:
    streams = matcher()
    claim = streams.claim(100 * MS)
    late = threading.Timer(0.02, streams.add, (100 * MS, "late"))
    late.start()
    assert claim.wait(FOREVER) == (0, "late")
    late.join()


def test_the_wait_ends_when_the_time_is_over() -> None:
    streams = matcher()
    assert streams.claim(100 * MS).wait(0.01) is None
    streams.add(60 * MS, "before")
    assert streams.claim(100 * MS).wait(0.01) == (-40 * MS, "before")


def test_nobody_waits_after_the_streams_have_ended() -> None:
    streams = matcher()
    claim = streams.claim(100 * MS)
    closer = threading.Timer(0.02, streams.clear)
    closer.start()
    assert claim.wait(FOREVER) is None
    closer.join()


def test_after_a_jump_back_in_time_the_new_messages_are_found() -> None:
    streams = matcher()
    streams.add(10_000 * MS, "before the jump")
    claim = streams.claim(100 * MS)
    streams.add(101 * MS, "after the jump")
    assert claim.wait(FOREVER) == (MS, "after the jump")
    assert streams.claim(102 * MS).nearest == (-MS, "after the jump")


def test_the_claim_of_an_image_at_work_outlives_the_messages_kept() -> None:
    streams = matcher(capacity=2, claims=2)
    claim = streams.claim(0)
    for stamp in range(100):
        streams.add(stamp * 33 * MS, f"{stamp}")
    assert claim.nearest == (0, "0")


@given(
    st.lists(st.integers(0, 500), min_size=1, max_size=30, unique=True).map(sorted),
    st.integers(0, 500),
    st.integers(0, 30),
)
def test_the_nearest_of_the_messages_kept_is_found(
    stamps: list[int], image: int, arrives: int
) -> None:
    """The image arrives after the first `arrives` messages."""
    streams: StampMatcher[int] = StampMatcher(capacity=8)
    for stamp in stamps[:arrives]:
        streams.add(stamp * MS, stamp)
    claim = streams.claim(image * MS)
    for stamp in stamps[arrives:]:
        streams.add(stamp * MS, stamp)
    seen = stamps[max(0, min(arrives, len(stamps)) - 8) :]
    offset, found = claim.wait(0.0) or (None, None)
    assert found is not None
    assert offset == (found - image) * MS
    assert abs(found - image) == min(abs(stamp - image) for stamp in seen)


@pytest.mark.parametrize("count", [1, 50])
def test_claims_are_bounded(count: int) -> None:
    streams = matcher(claims=3)
    claims = [streams.claim(stamp * MS) for stamp in range(count)]
    streams.add(0, "one")
    served = [claim for claim in claims if claim.nearest is not None]
    assert len(served) == min(count, 3)
    assert claims[-1] in served


def test_the_silence_is_timed_from_the_last_message() -> None:
    now = [5.0]
    streams: StampMatcher[str] = StampMatcher(clock=lambda: now[0])
    assert streams.silence == float("inf")
    streams.add(0, "one")
    now[0] = 8.0
    assert streams.silence == 3.0
    streams.clear()
    assert streams.silence == float("inf")
