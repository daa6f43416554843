"""Segmenters of the real classes with tiny random weights, and drawn pictures for them."""

from __future__ import annotations

import string
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import (
    BertTokenizer,
    CLIPTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
    Sam2Config,
    Sam2ImageProcessor,
    Sam2Model,
    Sam2Processor,
    Sam3Config,
    Sam3ImageProcessor,
    Sam3Model,
    Sam3Processor,
)

from affordance_grounding_core.labelling.segmenters.base import SelectionRule
from affordance_grounding_core.labelling.segmenters.grounding_dino_sam2 import (
    GroundingDinoSam2Segmenter,
)
from affordance_grounding_core.labelling.segmenters.models import (
    GROUNDING_DINO,
    SAM2,
    SAM3,
)
from affordance_grounding_core.labelling.segmenters.sam3 import Sam3Segmenter

ANYTHING = SelectionRule(score=0.5, minimum=0.0)
"""Random weights find nothing in particular, so the best detection always counts."""


def clip_tokenizer() -> CLIPTokenizer:
    vocabulary = {"<|startoftext|>": 0, "<|endoftext|>": 1}
    for letter in string.ascii_lowercase:
        vocabulary[letter] = len(vocabulary)
        vocabulary[f"{letter}</w>"] = len(vocabulary)
    end = "<|endoftext|>"
    return CLIPTokenizer(vocab=vocabulary, merges=[], unk_token=end, pad_token=end)


def sam3_model() -> Sam3Model:
    block = {"num_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(0)
    return Sam3Model(
        Sam3Config(
            vision_config={
                "backbone_config": {
                    "model_type": "sam3_vit_model",
                    "hidden_size": 32,
                    "intermediate_size": 32,
                    "num_hidden_layers": 2,
                    "num_attention_heads": 2,
                    "image_size": 56,
                    "patch_size": 14,
                    "window_size": 2,
                    "global_attn_indexes": [1],
                    "pretrain_image_size": 56,
                },
                "fpn_hidden_size": 32,
                "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
            },
            text_config={
                "vocab_size": 54,
                "hidden_size": 16,
                "intermediate_size": 16,
                "projection_dim": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "max_position_embeddings": 32,
                "bos_token_id": 0,
                "eos_token_id": 1,
            },
            geometry_encoder_config={"hidden_size": 32, **block},
            detr_encoder_config={"hidden_size": 32, **block},
            detr_decoder_config={"hidden_size": 32, "num_queries": 6, **block},
            mask_decoder_config={"hidden_size": 32, "num_attention_heads": 2},
        )
    ).eval()


def sam3_processor() -> Sam3Processor:
    return Sam3Processor(Sam3ImageProcessor(size={"height": 56, "width": 56}), clip_tokenizer())


def grounding_dino_model() -> GroundingDinoForObjectDetection:
    torch.manual_seed(0)
    return GroundingDinoForObjectDetection(
        GroundingDinoConfig(
            backbone_config={
                "model_type": "swin",
                "image_size": 32,
                "embed_dim": 8,
                "depths": [1, 1, 1, 1],
                "num_heads": [1, 1, 1, 1],
                "window_size": 2,
                "out_indices": [2, 3, 4],
            },
            text_config={
                "model_type": "bert",
                "vocab_size": 1030,
                "hidden_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "intermediate_size": 16,
                "max_position_embeddings": 64,
            },
            num_queries=5,
            encoder_layers=1,
            decoder_layers=2,
            encoder_ffn_dim=16,
            decoder_ffn_dim=16,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            d_model=32,
            disable_custom_kernels=True,
            max_text_len=64,
        )
    ).eval()


def grounding_dino_processor() -> GroundingDinoProcessor:
    # The model tells phrases apart by these numbers of BERT's special tokens.
    vocabulary = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
    vocabulary |= {".": 1012, "?": 1029}
    for number, letter in enumerate(string.ascii_lowercase):
        vocabulary |= {letter: 200 + number, f"##{letter}": 300 + number}
    images = GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96})
    return GroundingDinoProcessor(images, BertTokenizer(vocab=vocabulary))


def sam2_model() -> Sam2Model:
    torch.manual_seed(0)
    return Sam2Model(
        Sam2Config(
            vision_config={
                "backbone_config": {
                    "model_type": "sam2_hiera_det_model",
                    "hidden_size": 8,
                    "image_size": [64, 64],
                    "blocks_per_stage": [1, 1, 2, 1],
                    "embed_dim_per_stage": [8, 16, 32, 64],
                    "num_attention_heads_per_stage": [1, 1, 1, 1],
                    "window_size_per_stage": [8, 4, 4, 2],
                    "global_attention_blocks": [3],
                    "window_positional_embedding_background_size": [4, 4],
                },
                "backbone_channel_list": [64, 32, 16, 8],
                "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
                "fpn_hidden_size": 32,
            },
            prompt_encoder_config={
                "hidden_size": 32,
                "image_size": 64,
                "patch_size": 16,
                "mask_input_channels": 4,
            },
            mask_decoder_config={
                "hidden_size": 32,
                "mlp_dim": 32,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "iou_head_hidden_dim": 16,
            },
        )
    ).eval()


def sam2_processor() -> Sam2Processor:
    images = Sam2ImageProcessor(
        size={"height": 64, "width": 64}, mask_size={"height": 16, "width": 16}
    )
    return Sam2Processor(images, target_size=64)


@pytest.fixture(scope="session")
def sam3() -> Sam3Segmenter:
    return Sam3Segmenter(sam3_model(), sam3_processor(), ANYTHING, "tiny", phrase_batch=2)


@pytest.fixture(scope="session")
def grounding_dino_sam2() -> GroundingDinoSam2Segmenter:
    return GroundingDinoSam2Segmenter(
        grounding_dino_model(),
        grounding_dino_processor(),
        sam2_model(),
        sam2_processor(),
        ANYTHING,
        "tiny",
        prompt_batch=2,
    )


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny models as files, laid out as the hub's repositories are downloaded."""
    folder = tmp_path_factory.mktemp("models")
    for name, parts in {
        SAM3.name: (sam3_model(), sam3_processor()),
        GROUNDING_DINO.name: (grounding_dino_model(), grounding_dino_processor()),
        SAM2.name: (sam2_model(), sam2_processor()),
    }.items():
        for part in parts:
            part.save_pretrained(folder / name)
    return folder


@pytest.fixture(scope="session")
def pictures() -> list[NDArray[np.uint8]]:
    """Two pictures of different sizes."""
    random = np.random.default_rng(0)
    return [random.integers(0, 255, (*size, 3), dtype=np.uint8) for size in ((40, 60), (33, 21))]
