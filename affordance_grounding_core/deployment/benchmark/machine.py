"""What the machine can do at best, measured: matrix products per second and precision."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import torch

_ROWS, _INNER, _COLUMNS = 4096, 768, 3072  # an MLP layer of a ViT-B over some twenty images


@dataclass(frozen=True)
class Machine:
    """A machine as the benchmark saw it.

    Attributes:
        cores: processors this process may use.
        threads: threads that PyTorch uses.
        device: "cpu" or the name of the GPU.
        gflops: best rate of a large matrix product, in 10^9 operations per second, a
            multiplication and an addition counted as two, by precision.
    """

    cores: int
    threads: int
    device: str
    gflops: dict[str, float]

    def roofline_milliseconds(self, operations: float, precision: str) -> float:
        """Time that some work takes if it were nothing but matrix products.

        Args:
            operations: multiplications and additions.
            precision: "fp32" or "bf16".
        """
        return operations / self.gflops[precision] / 1e6


def measure_machine(device: str = "cpu", repeats: int = 5) -> Machine:
    """Measure the rate of matrix products.

    Args:
        device: PyTorch's name of it.
        repeats: the best of so many is taken.
    """
    is_cuda = torch.device(device).type == "cuda"
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        threads=torch.get_num_threads(),
        device=torch.cuda.get_device_name(device) if is_cuda else "cpu",
        gflops={
            name: _rate(device, kind, repeats)
            for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16))
        },
    )


def _rate(device: str, kind: torch.dtype, repeats: int) -> float:
    left = torch.ones(_ROWS, _INNER, dtype=kind, device=device)
    right = torch.ones(_COLUMNS, _INNER, dtype=kind, device=device)
    seconds = []
    with torch.inference_mode():
        for _ in range(repeats + 1):
            started = time.perf_counter()
            torch.nn.functional.linear(left, right)
            if left.is_cuda:
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - started)
    return 2.0 * _ROWS * _INNER * _COLUMNS / min(seconds[1:]) / 1e9
