"""Manifests that cannot be used, and what is done to masks."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from affordance_grounding_core.errors import DatasetError
from affordance_grounding_core.labelling.labeller import fill_holes, unite
from affordance_grounding_core.labelling.manifest import read_manifest


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "has no readable manifest.json"),
        ("{", "is no JSON"),
        ("[]", "format_version None"),
        ('{"format_version": 7}', "format_version 7, this package reads 1"),
        ('{"format_version": 1}', "is damaged"),
        (
            json.dumps(
                {"format_version": 1, "segmenter": {}, "similarity": "", "images": [{"key": "x"}]}
            ),
            "holds no record",
        ),
    ],
)
def test_a_manifest_that_cannot_be_used_is_named(
    tmp_path: Path, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(DatasetError, match=message):
        read_manifest(tmp_path)


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=24)), st.integers(0, 60)
)
def test_only_small_holes_are_filled(mask: NDArray[np.bool_], area: int) -> None:
    filled = fill_holes(mask, area)
    assert (filled >= mask).all()
    if not mask.any():
        assert not filled.any()
        return
    _, labels, statistics, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), None)
    for component in range(1, len(statistics)):
        inside = filled[labels == component]
        assert inside.all() if statistics[component, cv2.CC_STAT_AREA] < area else not inside.any()


def test_masks_are_united() -> None:
    masks = np.zeros((2, 3, 4), np.bool_)
    masks[0, 0], masks[1, :, 0] = True, True
    assert unite(masks).sum() == 6
