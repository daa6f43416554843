"""The part that people use is found in the image where nobody does."""

from __future__ import annotations

import pytest
import torch
from scenes import COLUMNS, HAND, ROWS, grasped, scene, together, tool

from affordance_grounding_core.methods.selective_cl.config import DiscoveryConfig
from affordance_grounding_core.methods.selective_cl.discovery import PartDiscovery, discover_parts

IMAGES = 2


def discover(
    config: DiscoveryConfig, used: list[tuple[int, int]] | None = None, seed: int = 0
) -> PartDiscovery:
    """Look at one sample whose exocentric images are used at the given cells."""
    evidence = torch.zeros(1, IMAGES, ROWS, COLUMNS)
    for row, column in [(3, 2), (3, 3)] if used is None else used:
        evidence[..., row, column] = 1.0
    ego = tool()
    assert ego.class_attention is not None
    objects = ego.class_attention[:, 0] > 0
    return discover_parts(
        ego,
        together(*(grasped(seed) for seed in range(1, 1 + IMAGES))),
        objects.float().reshape(1, ROWS, COLUMNS),
        0.5 + 0.5 * evidence,
        evidence,
        objects,
        config,
        torch.Generator().manual_seed(seed),
    )


def test_the_part_that_is_used_is_found_in_the_egocentric_image() -> None:
    found = discover(DiscoveryConfig(clusters=1, alpha=0.4))
    assert found.found.tolist() == [True]
    part = found.egocentric_map[0]
    assert min(part[2, 2], part[2, 3]) > max(part[2, 4], part[3, 4]) + 0.2
    assert part[5, 5] == 0
    assert found.exocentric_map[0, 0].flatten().argmax() in (3 * COLUMNS + 2, 3 * COLUMNS + 3)


def test_the_cluster_that_covers_the_object_best_is_taken() -> None:
    used = [(3, 2), (3, 3), (4, 1), (3, 1)]  # handle and hand
    found = discover(DiscoveryConfig(clusters=2, alpha=0.2), used)
    part = found.egocentric_map[0]
    assert min(part[2, 2], part[2, 3]) > max(part[2, 4], part[3, 4])
    centroids = found.centroids[0]
    hand = scene((HAND, 0, 0)).descriptors[0, 0]
    other = 1 - int(found.chosen[0])
    assert torch.nn.functional.cosine_similarity(centroids[other], hand, dim=0) > 0.9


@pytest.mark.parametrize(
    ("config", "used"),
    [
        (DiscoveryConfig(clusters=3), [(3, 2)]),  # 2 patches for 3 clusters
        (DiscoveryConfig(clusters=1), []),
        (DiscoveryConfig(clusters=1, alpha=1.5), None),  # nothing is that reliable
    ],
)
def test_without_a_reliable_part_the_object_stands_in(
    config: DiscoveryConfig, used: list[tuple[int, int]] | None
) -> None:
    found = discover(config, used)
    assert found.chosen.tolist() == [-1]
    attention = tool().class_attention
    assert attention is not None
    expected = (attention[:, 0] > 0).float().reshape(1, ROWS, COLUMNS)
    assert torch.equal(found.egocentric_map, expected)
    assert torch.isfinite(found.exocentric_map).all()
    assert torch.isfinite(found.centroids).all()


def test_all_used_patches_of_all_images_are_clustered() -> None:
    found = discover(DiscoveryConfig(clusters=1))
    cells = torch.nonzero(found.clustered[0]).flatten().tolist()
    place = 3 * COLUMNS + 2
    assert cells == [place, place + 1, place + ROWS * COLUMNS, place + ROWS * COLUMNS + 1]


def test_the_quirk_clusters_the_top_rows_only() -> None:
    # Row 1 of exocentric mask 0 holds the evidence; the quirk applies it to row 0 of image 1.
    quirk = discover(DiscoveryConfig(clusters=1, published_quirks=True), [(1, 5)])
    assert torch.nonzero(quirk.clustered[0]).flatten().tolist() == [ROWS * COLUMNS + 5]


def test_the_quirk_refuses_more_images_than_rows() -> None:
    many = ROWS + 1
    features = together(*(grasped(seed) for seed in range(many)))
    with pytest.raises(ValueError, match="7 images need at least as many rows, got 6"):
        discover_parts(
            tool(),
            features,
            torch.ones(1, ROWS, COLUMNS),
            torch.ones(1, many, ROWS, COLUMNS),
            torch.ones(1, many, ROWS, COLUMNS),
            torch.ones(1, ROWS * COLUMNS, dtype=torch.bool),
            DiscoveryConfig(published_quirks=True),
        )


def test_reliability_counts_overlap_and_the_quirk_does_not() -> None:
    ours = discover(DiscoveryConfig(clusters=1)).candidates
    precision = ours.intersection / ours.hard.sum(2)
    overlap = ours.intersection / ours.union
    torch.testing.assert_close(ours.reliability, (precision + overlap) / 2)
    config = DiscoveryConfig(clusters=1, published_quirks=True)
    quirk = discover(config, [(0, 2), (1, 2)]).candidates
    precision = quirk.intersection / quirk.hard.sum(2)
    torch.testing.assert_close(quirk.reliability, (precision + 4 / quirk.union) / 2)


def test_the_seed_decides_the_clusters() -> None:
    used = [(row, column) for row in range(ROWS) for column in range(COLUMNS)]
    config = DiscoveryConfig(clusters=3)
    first, again = (discover(config, used, seed=1) for _ in range(2))
    assert torch.equal(first.centroids, again.centroids)
