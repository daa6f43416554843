"""Candidates in the order in which they are tried, and why others are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from affordance_grounding_core.errors import RuntimeUnavailableError
from affordance_grounding_core.runtimes.base import Backend, Candidate
from affordance_grounding_core.runtimes.eager import default_device
from affordance_grounding_core.runtimes.request import ROWS, RuntimeRequest

BACKENDS: Mapping[str, Callable[[], Backend]] = {row.name: row.make_backend for row in ROWS}
"""By name of the runtime; a library is imported only where its backend is asked."""

PREFERENCE = {
    device: tuple(row.name for row in ROWS if row.tried_on == device) for device in ("cuda", "cpu")
}
"""What "auto" tries on a device, in this order, before PyTorch itself."""

_FLAVOURS: Mapping[str, Callable[[], tuple[str, ...]]] = {
    row.name: row.choose_flavours for row in ROWS
}


@dataclass(frozen=True)
class Ladder:
    """What to try.

    Attributes:
        candidates: the best first; PyTorch in float32 stands behind the last.
        refused: sentences on runtimes that cannot be tried here.
        backends: backends of the candidates, by name.
    """

    candidates: tuple[Candidate, ...]
    refused: tuple[str, ...]
    backends: Mapping[str, Backend]


def make_ladder(request: RuntimeRequest) -> Ladder:
    """Find what can be tried on this machine.

    Args:
        request: what the user asked for. With a precision, "auto" tries the runtimes that have
            it.

    Raises:
        RuntimeUnavailableError: the one runtime that was asked for is not available and nothing
            may take its place.
    """
    chosen = request.runtime
    names = PREFERENCE[default_device()] if chosen == "auto" else (chosen,)
    candidates: list[Candidate] = []
    refused: list[str] = []
    backends: dict[str, Backend] = {}
    for name in names:
        choose = _FLAVOURS[name]
        try:
            for flavour in choose():
                backend = BACKENDS[flavour]()
                candidates += backend.ladder(request.precision)
                backends[flavour] = backend
        except RuntimeUnavailableError as error:
            if chosen != "auto" and not candidates:
                raise
            refused.append(str(error))
    if chosen == "auto" and request.precision not in ("auto", "fp32") and not candidates:
        raise RuntimeUnavailableError(
            f"no runtime here has precision {request.precision!r}: {'; '.join(refused)}"
        )
    if not request.fall_back:
        del candidates[1:]
    return Ladder(tuple(candidates), tuple(refused), backends)
