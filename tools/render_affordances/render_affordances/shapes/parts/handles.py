"""Handles at the side or on top of a vessel, as paths in the xz plane."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.geometry import curve
from render_affordances.meshes.model import Array

SIDE_STYLES = ("round", "square", "ear", "angular", "hanging")


def side_handle(
    style: str, low: tuple[float, float], high: tuple[float, float], reach: float
) -> Array:
    """Run a handle from one point of the body to another, outwards along +x.

    Args:
        style: one of `SIDE_STYLES`.
        low: x and z where its lower end meets the body.
        high: likewise of its upper end.
        reach: how far it stands out from the body, in metres.

    Returns:
        (K, 3) path from the lower end to the upper one; both lie a little inside the body. A
        "hanging" handle ends free.
    """
    (x_low, z_low), (x_high, z_high) = low, high
    out = max(x_low, x_high) + reach
    middle = (z_low + z_high) / 2
    if style in ("round", "square"):
        power = 1.0 if style == "round" else 0.55
        angle = np.linspace(-np.pi / 2, np.pi / 2, 28)
        along = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power
        base = (x_low + x_high) / 2 + (x_high - x_low) / 2 * along
        across = np.abs(np.cos(angle)) ** power * (out - max(x_low, x_high))
        points = np.stack([base + across, middle + (z_high - z_low) / 2 * along], axis=1)
    elif style == "ear":
        points = curve(
            [
                (x_low, z_low),
                (x_low + reach * 0.5, z_low + (z_high - z_low) * 0.12),
                (out, middle + (z_high - z_low) * 0.28),
                (x_high + reach * 0.62, z_high + (z_high - z_low) * 0.05),
                (x_high, z_high - (z_high - z_low) * 0.06),
            ],
            28,
        )
    elif style == "angular":
        corners = [(x_low, z_low), (out * 0.97, z_low + 0.004), (out, z_high - 0.004)]
        points = _polyline([*corners, (x_high, z_high)], 28)
    else:
        points = curve(
            [
                (x_high, z_high - 0.004),
                (x_high + reach * 0.7, z_high),
                (out, z_high - (z_high - z_low) * 0.25),
                (out - reach * 0.1, z_low),
            ],
            28,
        )[::-1]
    return np.column_stack([points[:, 0], np.zeros(len(points)), points[:, 1]])


def _polyline(corners: list[tuple[float, float]], count: int) -> Array:
    """Straight lines with corners rounded by smoothing."""
    given = np.asarray(corners, dtype=np.float64)
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(given, axis=0), axis=1))])
    positions = np.linspace(0, lengths[-1], count)
    line = np.stack([np.interp(positions, lengths, given[:, k]) for k in range(2)], axis=1)
    line[1:-1] = (line[:-2] + 2 * line[1:-1] + line[2:]) / 4
    return line


def arch(half_width: float, base: float, rise: float, power: float) -> Array:
    """Path (K, 3) of a handle that arches over the top, in the xz plane."""
    angle = np.linspace(0, np.pi, 32)
    flat = np.abs(np.sin(angle)) ** power
    return np.stack([-half_width * np.cos(angle), 0 * angle, base + rise * flat], axis=1)


def bar_width(random: Generator, low: float, high: float, flatness: float = 0.7) -> Array:
    """Two half axes (2,) of a handle's section: a thickness, and that times about `flatness`."""
    thick = random.uniform(low, high)
    return np.array([thick, thick * random.uniform(flatness, 1.0)])


def middle_of(path: Array) -> tuple[Array, Array]:
    """Point half way along a path, and the direction of the path there."""
    k = len(path) // 2
    along = path[min(k + 1, len(path) - 1)] - path[k - 1]
    return path[k], along / np.linalg.norm(along)
