"""The machine's best rate of matrix products at each precision."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import torch

_TRIAL = (256, 256, 256)
_SLOW = 0.5
"""Of the rate of fp32 in that trial: slower kinds have no product of their own on this machine."""
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
            multiplication and an addition counted as two, by precision; "fp32", and others where
            PyTorch has such a product and the machine has instructions for it.
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


class Rates:
    """Best rates of matrix products so far; measured in turns with what they are compared with.

    A machine that is shared drifts: a rate taken once, before or after, may be lower than what a
    run gets a minute later.

    Args:
        device: PyTorch's name of it.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._device = device
        self._is_cuda = torch.device(device).type == "cuda"
        kinds = {"fp32": torch.float32, "bf16": torch.bfloat16, "int8": torch.int8}
        if self._is_cuda:
            kinds["fp16"] = torch.float16
        self._best: dict[str, float] = {}
        self._products: dict[str, list[_Product]] = {}
        slowest = 0.0
        for name, kind in kinds.items():
            with suppress(RuntimeError):  # no such product on this device
                trial = self._best_of(_products(device, kind, _TRIAL), repeats=5)
                if trial < slowest:  # One number after the other: minutes for a large product.
                    continue
                slowest = slowest or _SLOW * trial
                self._products[name] = [
                    product for shape in _SHAPES for product in _products(device, kind, shape)
                ]

    def measure(self, repeats: int = 1) -> None:
        """Time every product, after one run that is not timed, and keep the best rates.

        Args:
            repeats: timed runs of each.
        """
        for name, products in self._products.items():
            rate = self._best_of(products, repeats)
            self._best[name] = max(rate, self._best.get(name, 0.0))

    def machine(self) -> Machine:
        """The machine, with the best rates so far."""
        return Machine(
            cores=len(os.sched_getaffinity(0)),
            threads=torch.get_num_threads(),
            device=torch.cuda.get_device_name(self._device) if self._is_cuda else "cpu",
            gflops=dict(self._best),
        )

    def _best_of(self, products: list[_Product], repeats: int) -> float:
        with torch.inference_mode():
            return max(self._rate(product, repeats) for product in products)

    def _rate(self, product: _Product, repeats: int) -> float:
        seconds = []
        for _ in range(repeats + 1):
            started = time.perf_counter()
            product.run()
            if self._is_cuda:
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - started)
        return product.operations / min(seconds[1:]) / 1e9


@dataclass(frozen=True)
class _Product:
    """One way to multiply two matrices.

    Attributes:
        run: multiplies them.
        operations: multiplications and additions it takes.
    """

    run: Callable[[], object]
    operations: float


def _products(device: str, kind: torch.dtype, shape: tuple[int, int, int]) -> list[_Product]:
    """The ways PyTorch has to multiply matrices of one shape; each is run once to see that it can.

    Raises:
        RuntimeError: PyTorch has no such product on the device.
    """
    rows, inner, columns = shape
    left = torch.ones(rows, inner, dtype=kind, device=device)
    weight = torch.ones(columns, inner, dtype=kind, device=device)
    with torch.inference_mode():
        ways = _ways(left, weight)
        for way in ways:
            way()
    return [_Product(way, 2.0 * rows * inner * columns) for way in ways]


def _ways(left: torch.Tensor, weight: torch.Tensor) -> list[Callable[[], object]]:
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
