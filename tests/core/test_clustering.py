"""k-means finds what Lloyd's algorithm finds, alike in every batch, and never a NaN."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from affordance_grounding_core.clustering import k_means

CENTRES = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blobs(seed: int, each: int = 12) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    return np.concatenate([centre + 0.4 * random.standard_normal((each, 2)) for centre in CENTRES])


def lloyd(points: NDArray[np.float64], centroids: NDArray[np.float64]) -> NDArray[np.float64]:
    """The algorithm as the text books have it, for one set."""
    for _ in range(50):
        distances = np.linalg.norm(points[:, None] - centroids[None], axis=2)
        nearest = distances.argmin(axis=1)
        centroids = np.stack([points[nearest == k].mean(axis=0) for k in range(len(centroids))])
    return centroids


def in_order(centroids: torch.Tensor) -> NDArray[np.float64]:
    return np.array(sorted(centroids.tolist()))


@pytest.mark.parametrize("seed", range(5))
def test_clear_clusters_are_those_of_lloyds_algorithm(seed: int) -> None:
    points = blobs(seed)
    found = k_means(
        torch.from_numpy(points)[None],
        torch.ones(1, len(points), dtype=torch.bool),
        clusters=3,
        generator=seeded(seed),
        restarts=4,
    )
    expected = lloyd(points, CENTRES.copy())
    np.testing.assert_allclose(
        in_order(found.centroids[0]), np.array(sorted(expected.tolist())), rtol=1e-6, atol=1e-9
    )
    groups = found.assignment[0].reshape(3, -1)
    assert [len(set(group.tolist())) for group in groups] == [1, 1, 1]
    spread = ((points - np.repeat(expected, 12, axis=0)) ** 2).sum()
    assert float(found.inertia) == pytest.approx(spread)


def test_points_that_do_not_count_change_nothing() -> None:
    points = torch.from_numpy(blobs(1))
    noise = torch.full((7, 2), float("nan"), dtype=points.dtype)
    mixed = torch.cat([noise[:3], points, noise[3:]])[None]
    counted = torch.cat([torch.zeros(3), torch.ones(36), torch.zeros(4)])[None].bool()
    alone = k_means(points[None], torch.ones(1, 36).bool(), 3, seeded())
    among = k_means(mixed, counted, 3, seeded())
    torch.testing.assert_close(among.centroids, alone.centroids)
    assert torch.equal(among.assignment[:, 3:39], alone.assignment)
    assert (among.assignment[~counted] == -1).all()


@given(st.integers(0, 2**32 - 1), st.permutations(range(4)))
@settings(max_examples=20, deadline=None)
def test_a_set_is_clustered_alike_in_any_place_of_any_batch(seed: int, order: list[int]) -> None:
    points = torch.randn(4, 30, 5, generator=seeded(seed), dtype=torch.float64)
    counted = torch.rand(4, 30, generator=seeded(seed + 1)) > 0.4
    together = k_means(points, counted, 3, seeded(7))
    moved = k_means(points[order], counted[order], 3, seeded(7))
    torch.testing.assert_close(moved.centroids, together.centroids[order])
    alone = k_means(points[:1], counted[:1], 3, seeded(7))
    torch.testing.assert_close(alone.centroids, together.centroids[:1])


def test_the_seed_decides() -> None:
    points, counted = torch.randn(3, 50, 4, generator=seeded()), torch.ones(3, 50).bool()
    first, second = (k_means(points, counted, 5, seeded(3)) for _ in range(2))
    assert torch.equal(first.centroids, second.centroids)
    others = [k_means(points, counted, 5, seeded(seed)).centroids for seed in range(4, 9)]
    assert any(not torch.equal(first.centroids, other) for other in others)


@given(
    st.integers(0, 5),
    st.integers(1, 4),
    st.sampled_from([0.0, 1.0, 1e-20, 1e4, -3.0]),
    st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_too_few_or_coinciding_points_give_finite_centroids(
    count: int, clusters: int, value: float, distinct: bool
) -> None:
    points = torch.full((2, 5, 3), value)
    if distinct:
        points = points + torch.arange(5.0)[None, :, None]
    counted = torch.zeros(2, 5, dtype=torch.bool)
    counted[0, :count] = True
    counted[1] = True
    found = k_means(points, counted, clusters, seeded())
    assert torch.isfinite(found.centroids).all()
    assert torch.isfinite(found.inertia).all()
    assert (found.assignment[0, count:] == -1).all()
    if count == 0:
        assert (found.centroids[0] == 0).all()
    if count and distinct and count <= clusters:
        # As many clusters as points: every point is its own.
        torch.testing.assert_close(found.inertia[0], torch.tensor(0.0), atol=1e-3, rtol=0)


def test_more_restarts_never_fit_worse() -> None:
    points, counted = torch.randn(6, 80, 3, generator=seeded(2)), torch.ones(6, 80).bool()
    one = k_means(points, counted, 6, seeded(1)).inertia
    many = k_means(points, counted, 6, seeded(1), restarts=8).inertia
    assert (many <= one + 1e-4).all()
    assert (many < one - 1e-4).any()
