"""What every check of golden numbers shares: cases, comparisons, tolerances.

A check is a module of this folder with two functions::

    def matches(arrays: Mapping[str, Array], stem: str) -> bool
    def checks(arrays: Mapping[str, Array], stem: str) -> Iterator[Comparison]

`arrays` holds the arrays of one golden file and, as `images/<key>`, those of the pictures that
lie beside it. `stem` is the file's name without suffix. A file is recognised by the keys it
holds, and by its name only where keys do not tell. Keys are `case.quantity`; a check finds the
cases with `cases_with` and never knows their names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
RTOL, ATOL = 1e-4, 1e-5
GRADIENT_RTOL = 1e-3


@dataclass(frozen=True)
class Comparison:
    """One quantity of one case, ours beside the golden one.

    Where the golden number is not finite (the published code divides by zero), ours must be
    finite and nothing else is compared.

    Attributes:
        case: name of the case, empty where the file has one without a name.
        quantity: what is compared.
        ours: what this package computes, a tensor or an array.
        golden: what the published code computed.
        rtol: relative tolerance.
        atol: absolute tolerance.
    """

    case: str
    quantity: str
    ours: ArrayLike
    golden: ArrayLike
    rtol: float = RTOL
    atol: float = ATOL

    @property
    def defect(self) -> str:
        """Why it fails, empty where it passes."""
        ours, golden = _numbers(self.ours), _numbers(self.golden)
        if ours.shape != golden.shape:
            return f"shape {ours.shape}, golden {golden.shape}"
        if not np.isfinite(ours).all():
            return f"{np.count_nonzero(~np.isfinite(ours))} values not finite"
        finite = np.isfinite(golden)
        if not np.allclose(ours[finite], golden[finite], rtol=self.rtol, atol=self.atol):
            return "beyond tolerance"
        return ""

    @property
    def errors(self) -> tuple[float, float]:
        """Largest absolute and largest relative error; NaN where nothing can be compared.

        Relative to the golden number, where that is not smaller than the absolute tolerance.
        """
        ours, golden = _numbers(self.ours), _numbers(self.golden)
        if ours.shape != golden.shape:
            return float("nan"), float("nan")
        finite = np.isfinite(golden) & np.isfinite(ours)
        if not finite.any():
            return float("nan"), float("nan")
        difference, size = np.abs(ours - golden)[finite], np.abs(golden[finite])
        compared = size >= max(self.atol, 1e-30)
        relative = difference[compared] / size[compared]
        return float(difference.max()), float(relative.max(initial=0.0))


@dataclass(frozen=True)
class Case(Mapping[str, Array]):
    """The quantities of one case of a golden file.

    Attributes:
        name: of the case, empty where keys carry none.
        arrays: of the whole file.
    """

    name: str
    arrays: Mapping[str, Array]

    def __getitem__(self, quantity: str) -> Array:
        return self.arrays[self._prefix + quantity]

    def __contains__(self, quantity: object) -> bool:
        return f"{self._prefix}{quantity}" in self.arrays

    def __iter__(self) -> Iterator[str]:
        start = len(self._prefix)
        return (key[start:] for key in self.arrays if key.startswith(self._prefix))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def number(self, quantity: str, default: float) -> float:
        """A scalar of the case, of length-one arrays too, or the default where it is missing."""
        return float(np.reshape(self[quantity], -1)[0]) if quantity in self else default

    def compare(
        self, quantity: str, ours: object, rtol: float = RTOL, atol: float = ATOL
    ) -> Iterator[Comparison]:
        """Compare with the golden quantity, if the case holds it."""
        if quantity in self:
            yield Comparison(self.name, quantity, as_array(ours), self[quantity], rtol, atol)

    @property
    def _prefix(self) -> str:
        return f"{self.name}." if self.name else ""


def cases_with(arrays: Mapping[str, Array], *quantities: str) -> list[Case]:
    """All cases that hold every one of the quantities, in the order of the file."""
    names: dict[str, None] = {}
    for key in arrays:
        if key == quantities[0]:
            names[""] = None
        elif key.endswith(f".{quantities[0]}"):
            names[key.removesuffix(f".{quantities[0]}")] = None
    cases = [Case(name, arrays) for name in names]
    return [case for case in cases if all(quantity in case for quantity in quantities)]


def as_array(values: object) -> Array:
    """Tensors with or without gradient, numbers and arrays as arrays."""
    detach = getattr(values, "detach", None)
    return np.asarray(values if detach is None else detach().cpu().numpy())


def _numbers(values: ArrayLike) -> NDArray[np.float64]:
    return as_array(values).astype(np.float64)
