"""Segments that labels snap to: SAM's, and clusters of features."""

from __future__ import annotations

import numpy as np
import torch
from transformers import SamConfig, SamImageProcessor, SamModel

from affordance_grounding_core.methods.plsp.refinement.encoders import (
    FrozenPatches,
    RefinementEncoders,
)
from affordance_grounding_core.methods.plsp.refinement.pictures import PictureFormat
from affordance_grounding_core.methods.plsp.refinement.proposals import (
    FeatureProposals,
    SamProposals,
)


def test_feature_clusters_separate_colours(encoders: RefinementEncoders) -> None:
    image = np.full((64, 96, 3), (220, 30, 30), np.uint8)
    image[:, 64:] = (30, 200, 40)
    picture_format = PictureFormat(encoders.mean, encoders.std, 96)
    source = FeatureProposals(FrozenPatches(encoders.frozen), picture_format, counts=(2,))
    masks = source.propose(image)
    assert masks.shape == (2, 64, 96)
    green = np.zeros((64, 96), np.bool_)
    green[:, 64:] = True
    assert max((mask & green).sum() / (mask | green).sum() for mask in masks) > 0.85
    assert source.propose(image[:1, :1]).shape == (0, 1, 1)


def test_sam_proposes_what_its_pipeline_finds() -> None:
    torch.manual_seed(0)
    model = SamModel(
        SamConfig(
            vision_config={
                "hidden_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "image_size": 64,
                "patch_size": 16,
                "output_channels": 32,
                "mlp_dim": 16,
                "window_size": 2,
                "global_attn_indexes": [0],
                "num_pos_feats": 16,
            },
            prompt_encoder_config={
                "hidden_size": 32,
                "image_size": 64,
                "patch_size": 16,
                "mask_input_channels": 4,
            },
            mask_decoder_config={
                "hidden_size": 32,
                "mlp_dim": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "iou_head_hidden_dim": 16,
            },
        )
    )
    processor = SamImageProcessor(
        size={"longest_edge": 64},
        pad_size={"height": 64, "width": 64},
        mask_size={"longest_edge": 16},
        mask_pad_size={"height": 16, "width": 16},
    )
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    loose = SamProposals(model, processor, points=2, predicted_iou=-1e9, stability=-1e9)
    masks = loose.propose(image)
    assert masks.dtype == np.bool_
    assert masks.shape[1:] == (40, 60)
    assert all(mask.sum() >= 100 for mask in masks)
    strict = SamProposals(model, processor, points=2, predicted_iou=1e9)
    assert strict.propose(image).shape == (0, 40, 60)
