"""Measures the machine's best rate of matrix products at each precision."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import torch

_SHAPES = ((1024, 768, 3072), (1024, 3072, 768), (2048, 2048, 2048))
"""Rows, inner size and columns: both layers of a ViT-B's MLP over some images, and a square."""


@dataclass(frozen=True)
class Machine:
    """A machine as the benchmark saw it.

    Attributes:
        cores: processors this process may use.
        threads: threads that PyTorch uses.
        device: "cpu" or the name of the GPU.
        gflops: best rate of a large matrix product, in 10^9 operations per second, a
            multiplication and an addition counted as two, by precision; "int8" where PyTorch
            has such a product.
    """

    cores: int
    threads: int
    device: str
    gflops: dict[str, float]

    def roofline_milliseconds(self, operations: float, precision: str) -> float | None:
        """Time that some work takes if it were nothing but matrix products.

        Args:
            operations: multiplications and additions.
            precision: "fp32", "fp16", "bf16" or "int8".

        Returns:
            None where the rate of that precision was not measured.
        """
        rate = self.gflops.get(precision)
        return None if rate is None else operations / rate / 1e6


def measure_machine(device: str = "cpu", repeats: int = 10) -> Machine:
    """Measure the rate of matrix products.

    Args:
        device: PyTorch's name of it.
        repeats: the best of so many, and of several shapes, is taken.
    """
    is_cuda = torch.device(device).type == "cuda"
    kinds = {"fp32": torch.float32, "bf16": torch.bfloat16, "int8": torch.int8}
    if is_cuda:
        kinds["fp16"] = torch.float16
    rates = {name: _best_rate(device, kind, repeats) for name, kind in kinds.items()}
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        threads=torch.get_num_threads(),
        device=torch.cuda.get_device_name(device) if is_cuda else "cpu",
        gflops={name: rate for name, rate in rates.items() if rate is not None},
    )


def _best_rate(device: str, kind: torch.dtype, repeats: int) -> float | None:
    try:
        with torch.inference_mode():
            return max(_rate(device, kind, shape, repeats) for shape in _SHAPES)
    except RuntimeError:  # no such product on this device
        return None


def _rate(device: str, kind: torch.dtype, shape: tuple[int, int, int], repeats: int) -> float:
    rows, inner, columns = shape
    left = torch.ones(rows, inner, dtype=kind, device=device)
    weight = torch.ones(columns, inner, dtype=kind, device=device)
    seconds = []
    for product in _products(left, weight):
        for _ in range(repeats + 1):
            started = time.perf_counter()
            product()
            if left.is_cuda:
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - started)
    return 2.0 * rows * inner * columns / min(seconds) / 1e9


def _products(left: torch.Tensor, weight: torch.Tensor) -> list[Callable[[], object]]:
    """The ways PyTorch has to multiply, of which the quickest counts."""
    rows, columns = len(left), len(weight)
    # Into memory that is there: a fresh result would time the making of its pages, too.
    if left.dtype == torch.int8:
        counts = torch.empty(rows, columns, dtype=torch.int32, device=left.device)
        return [lambda: torch._int_mm(left, weight.T, out=counts)]
    result = torch.empty(rows, columns, dtype=left.dtype, device=left.device)
    ways: list[Callable[[], object]] = [lambda: torch.mm(left, weight.T, out=result)]
    with suppress(AttributeError, RuntimeError):  # not in every build of PyTorch
        # With a weight laid out for it, oneDNN is the quicker on processors that are not
        # Intel's; so do the runtimes.
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
        linear = torch.ops.mkldnn._linear_pointwise
        linear(left, packed, None, "none", [], "")
        ways.append(lambda: linear(left, packed, None, "none", [], ""))
    return ways
