"""Steps on a GPU, recorded as CUDA graphs: one launch in place of one for each operator."""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import TypeAlias

import torch

_log = logging.getLogger(__name__)

GRAPHS_VARIABLE = "AFFORDANCE_GROUNDING_CUDA_GRAPHS"
"""Environment variable that switches recording off where it is 0."""

PLAIN_RUNS = 2
"""Runs of a step before it is recorded: sizes that come once are not worth it."""

KEPT = 8
"""Recorded steps, at most; each keeps the memory of its intermediate results."""

_WARM_UP_RUNS = 3

Step: TypeAlias = Callable[..., torch.Tensor]
Replay: TypeAlias = Callable[[Sequence[torch.Tensor]], torch.Tensor]
"""Runs a recorded step on other values of the same shapes; the next run overwrites its answer."""


class DeviceGraphs:
    """Runs steps, and records those that come again; call it in inference mode.

    A step that cannot be recorded, for example because it waits for the processor, goes on
    operator by operator; the log says why, once.

    Args:
        device: device of all tensors; on a processor nothing is recorded.
        record: records a step; None: as a CUDA graph, on a GPU.
    """

    def __init__(
        self,
        device: torch.device,
        record: Callable[[Step, Sequence[torch.Tensor]], Replay] | None = None,
    ) -> None:
        allowed = device.type == "cuda" and os.environ.get(GRAPHS_VARIABLE, "") != "0"
        self._record = record or (record_cuda_graph if allowed else None)
        self._runs: OrderedDict[Hashable, int] = OrderedDict()
        # With its step, which holds the memory that the recorded one reads.
        self._recorded: dict[Hashable, tuple[Step, Replay]] = {}

    @property
    def records(self) -> bool:
        """Whether answers may be overwritten by the next run."""
        return self._record is not None

    def run(self, name: Hashable, step: Step, *inputs: torch.Tensor) -> torch.Tensor:
        """Run a step.

        Args:
            name: tells steps apart; shapes are told apart without it.
            step: computes a tensor on the device from the inputs. What else it reads must belong
                to it, and stay as it is: the recorded step reads the same memory.
            inputs: tensors on the device.

        Returns:
            The answer; a recorded step overwrites it when it runs again.
        """
        if self._record is None:
            return step(*inputs)
        key = (name, *((value.shape, value.dtype) for value in inputs))
        if key not in self._recorded and not self._is_worth_it(key, step, inputs):
            return step(*inputs)
        return self._recorded[key][1](inputs)

    def close(self) -> None:
        """Free recorded steps; those that come are recorded again."""
        self._runs.clear()
        self._recorded.clear()

    def _is_worth_it(self, key: Hashable, step: Step, inputs: Sequence[torch.Tensor]) -> bool:
        """Count a run; record the step when it has come often enough."""
        runs = self._runs[key] = self._runs.pop(key, 0) + 1
        while len(self._runs) > KEPT:
            oldest, _ = self._runs.popitem(last=False)
            self._recorded.pop(oldest, None)
        if runs <= PLAIN_RUNS or self._record is None:
            return False
        try:
            self._recorded[key] = step, self._record(step, inputs)
        except RuntimeError as error:
            _log.warning(
                "a step on the GPU cannot be recorded as a CUDA graph (%s); it runs operator by "
                "operator",
                str(error).partition("\n")[0],
            )
            self._record = None
            return False
        return True


def record_cuda_graph(step: Step, inputs: Sequence[torch.Tensor]) -> Replay:
    """Record a step as a CUDA graph on buffers of its own.

    Args:
        step: see `DeviceGraphs.run`.
        inputs: tensors on the GPU, of the shapes that will come.

    Raises:
        RuntimeError: CUDA cannot record the step.
    """
    buffers = [value.clone() for value in inputs]
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # libraries allocate and choose kernels in the first runs
        for _ in range(_WARM_UP_RUNS):
            step(*buffers)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        answer = step(*buffers)

    def replay(values: Sequence[torch.Tensor]) -> torch.Tensor:
        for buffer, value in zip(buffers, values, strict=True):
            buffer.copy_(value)
        graph.replay()
        return answer

    return replay
