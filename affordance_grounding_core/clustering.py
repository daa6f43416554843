"""k-means of many point sets at once, the same under a seed on every batch they are part of."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Clustering:
    """Clusters of a batch of point sets.

    Attributes:
        centroids: (B, k, C) means of the clusters, finite in every case: a cluster that lost
            its points keeps its place, a set without points has zeros.
        assignment: (B, M) int64 cluster of each point; -1 where the point does not count.
        inertia: (B) sum of squared distances of the points to their centroids.
    """

    centroids: torch.Tensor
    assignment: torch.Tensor
    inertia: torch.Tensor


@torch.no_grad()
def k_means(
    points: torch.Tensor,
    counted: torch.Tensor,
    clusters: int,
    generator: torch.Generator | None = None,
    iterations: int = 100,
    restarts: int = 1,
) -> Clustering:
    """Cluster point sets with Lloyd's algorithm from k-means++ starts.

    The random numbers are shared by the sets, so that a set is clustered alike in whatever
    batch and place it stands.

    Args:
        points: (B, M, C) float, finite where they count.
        counted: (B, M) bool, points that count; a set may have none.
        clusters: k. A set of fewer distinct points has coinciding centroids.
        generator: of the random numbers; they are drawn on its device.
        iterations: at most; stops when no point changes its cluster.
        restarts: of which the one of least inertia is kept.

    Returns:
        Clusters of every set.
    """
    batch, count = counted.shape
    device = points.device if generator is None else generator.device
    draws = torch.rand(restarts, clusters, generator=generator, device=device).to(points.device)
    kept, order = _gather_counted(counted)
    gathered = points.gather(1, order[..., None].expand(-1, -1, points.shape[2]))
    gathered = torch.where(kept[..., None], gathered, 0.0)
    # Distances do not change with the origin; near it they lose less to rounding.
    origin = gathered.sum(1, keepdim=True) / kept.sum(1).clamp_min(1)[:, None, None]
    centred = torch.where(kept[..., None], gathered - origin, 0.0)
    repeated = centred.repeat_interleave(restarts, dim=0)
    weights = kept.to(points.dtype).repeat_interleave(restarts, dim=0)
    start = _plus_plus(repeated, weights, draws.repeat(batch, 1))
    centroids, labels = _lloyd(repeated, weights, start, iterations)
    inertia = _squared_distances(repeated, centroids).amin(dim=2).mul(weights).sum(1)
    best = inertia.reshape(batch, restarts).argmin(dim=1)
    best = best + restarts * torch.arange(batch, device=best.device)
    assignment = torch.full((batch, count), -1, dtype=torch.int64, device=points.device)
    assignment.scatter_(1, order, torch.where(kept, labels[best], -1))
    some = kept.any(dim=1)[:, None, None]
    return Clustering(torch.where(some, centroids[best] + origin, 0.0), assignment, inertia[best])


def _gather_counted(counted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices that bring the points that count to the front, cut after the largest set."""
    size = max(1, int(counted.sum(dim=1).max())) if counted.numel() else 1
    order = counted.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :size]
    return counted.gather(1, order), order


def _squared_distances(points: torch.Tensor, centroids: torch.Tensor) -> torch.Tensor:
    """(B, M, C) and (B, k, C) to (B, M, k)."""
    products = points @ centroids.transpose(1, 2)
    norms = points.square().sum(2, keepdim=True) + centroids.square().sum(2)[:, None]
    return (norms - 2 * products).clamp_min(0)


def _plus_plus(points: torch.Tensor, weights: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """First centroids: points drawn with a chance that grows with the square of the distance."""
    chances, chosen = weights, []
    for draw in draws.T:
        total = chances.sum(dim=1, keepdim=True)
        # Where all points coincide with a centroid, any of them will do.
        chances = torch.where(total > 0, chances, weights)
        edges = chances.cumsum(dim=1)
        index = torch.searchsorted(edges, draw[:, None].to(edges.dtype) * edges[:, -1:], right=True)
        index = index.clamp_max(points.shape[1] - 1)
        chosen.append(points.gather(1, index[..., None].expand(-1, -1, points.shape[2])))
        nearest = _squared_distances(points, torch.cat(chosen, dim=1)).amin(dim=2)
        chances = nearest * weights
    return torch.cat(chosen, dim=1)


def _lloyd(
    points: torch.Tensor, weights: torch.Tensor, centroids: torch.Tensor, iterations: int
) -> tuple[torch.Tensor, torch.Tensor]:
    labels = _squared_distances(points, centroids).argmin(dim=2)
    for _ in range(iterations):
        members = torch.nn.functional.one_hot(labels, centroids.shape[1]).to(points.dtype)
        members = members * weights[..., None]
        sizes = members.sum(dim=1)[..., None]
        means = members.transpose(1, 2) @ points / sizes.clamp_min(1)
        centroids = torch.where(sizes > 0, means, centroids)
        updated = _squared_distances(points, centroids).argmin(dim=2)
        if torch.equal(updated, labels):
            break
        labels = updated
    return centroids, labels
