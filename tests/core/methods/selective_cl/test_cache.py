"""Cached features are those of the live path, to the half precision they are kept in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from affordance_grounding_core.data.transforms import CropConfig, squash
from affordance_grounding_core.images import read_rgb, write_png
from affordance_grounding_core.methods.selective_cl import frozen_backbones as frozen
from affordance_grounding_core.methods.selective_cl.cache import (
    SQUASHED,
    FeatureCache,
    WantedViews,
)

SIZE = 56
CROPS = CropConfig(64, SIZE)

MakeBackbones = Callable[[frozen.BackboneConfig], frozen.LoadedBackbones]


def test_a_cached_view_is_what_the_backbones_say(
    forty_images: Path, tmp_path: Path, make_backbones: MakeBackbones
) -> None:
    files = sorted((forty_images / "testset" / "egocentric" / "hold" / "mug").iterdir())
    backbones = make_backbones(frozen.BackboneConfig()).backbones
    cache = FeatureCache(tmp_path, backbones, CROPS)
    cache.fill([WantedViews(file, (0, 1, SQUASHED)) for file in files], backbones)
    live = backbones(squash(read_rgb(files[2]), SIZE)[None])
    stored = cache.read(files[2], SQUASHED)
    assert live.class_attention is not None
    assert live.clip_tokens is not None
    for name in ("descriptors", "class_attention", "clip_tokens"):
        torch.testing.assert_close(
            torch.from_numpy(stored[name]).float(), getattr(live, name)[0], rtol=1e-3, atol=1e-3
        )
    first, second = (cache.read(files[2], view)["descriptors"] for view in (0, 1))
    assert not np.array_equal(first, second)


def test_only_what_is_missing_is_computed(
    forty_images: Path, tmp_path: Path, make_backbones: MakeBackbones
) -> None:
    files = sorted((forty_images / "testset" / "egocentric" / "hold" / "mug").iterdir())
    backbones = make_backbones(frozen.BackboneConfig()).backbones
    seen: list[int] = []
    backbones.register_forward_pre_hook(lambda _, arguments: seen.append(len(arguments[0])))
    FeatureCache(tmp_path, backbones, CROPS).fill([WantedViews(files[0], (0, 1))], backbones)
    copy = files[0].with_name("copy.png")
    copy.write_bytes(files[0].read_bytes())
    cache = FeatureCache(tmp_path, backbones, CROPS)
    cache.fill([WantedViews(file, (0, 1, 2)) for file in (*files[:2], copy)], backbones)
    assert seen == [2, 4]  # one new view of the first picture and of its copy, three of the second
    np.testing.assert_array_equal(
        cache.read(copy, 1)["descriptors"], cache.read(files[0], 1)["descriptors"]
    )


def test_other_weights_crops_or_precision_have_a_cache_of_their_own(
    tmp_path: Path, make_backbones: MakeBackbones
) -> None:
    same, again, changed = (make_backbones(frozen.BackboneConfig()).backbones for _ in range(3))
    half = make_backbones(frozen.BackboneConfig(precision="bfloat16")).backbones
    with torch.no_grad():
        next(changed.parameters()).add_(1e-3)
    folders = {
        FeatureCache(tmp_path, same, CROPS).folder,
        FeatureCache(tmp_path, changed, CROPS).folder,
        FeatureCache(tmp_path, half, CROPS).folder,
        FeatureCache(tmp_path, same, CropConfig(70, SIZE)).folder,
        FeatureCache(tmp_path, same, CROPS, seed=1).folder,
    }
    assert len(folders) == 5
    assert FeatureCache(tmp_path, again, CROPS).folder in folders


def test_unusable_pictures_are_named_and_skipped(
    forty_images: Path, tmp_path: Path, make_backbones: MakeBackbones
) -> None:
    folder = forty_images / "testset" / "egocentric" / "hold" / "mug"
    good, junk, small, gone = (folder / f"{name}.png" for name in ("mug_0", "j", "s", "gone"))
    junk.write_bytes(b"junk")
    write_png(small, np.zeros((400, 8, 3), np.uint8))
    backbones = make_backbones(frozen.BackboneConfig()).backbones
    cache = FeatureCache(tmp_path, backbones, CROPS)
    wanted = [WantedViews(file, (SQUASHED,)) for file in (junk, good, small, gone)]
    for _ in range(2):
        cache.fill(wanted, backbones)
        assert set(cache.unusable) == {junk, small, gone}
        assert "shorter side of at least 32" in cache.unusable[small]
    assert len(cache.store) == 1
