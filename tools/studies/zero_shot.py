"""Zero-shot: the cosine of CLIP's patches to "an item to hold with", without any training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from tqdm import tqdm

from affordance_grounding_core.actions.prompts import action_prompt
from affordance_grounding_core.backbones.clip import CLIP_MEAN, CLIP_STD, Clip
from affordance_grounding_core.data.agd20k import EvaluationImage
from affordance_grounding_core.evaluation.protocols import EvaluationProtocol
from affordance_grounding_core.evaluation.summary import ImageScore
from affordance_grounding_core.images import read_grey, read_rgb
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.methods.selective_cl.affinity import text_similarity

_SIZE = 224


@torch.no_grad()
def zero_shot_scores(
    clip: Clip, images: Sequence[EvaluationImage], protocol: EvaluationProtocol
) -> list[ImageScore]:
    """Score the map of similarities of every picture to the prompt of its action.

    Args:
        clip: image and text encoder.
        images: of a test set; those without ground truth are left out.
        protocol: of the scores.
    """
    patch = clip.image.patch_size
    preprocess = Preprocess(PreprocessConfig("squash", _SIZE, patch, CLIP_MEAN, CLIP_STD))
    actions = sorted({image.action for image in images})
    texts = dict(
        zip(actions, clip.text.encode([action_prompt(action) for action in actions]), strict=True)
    )
    scores = []
    for item in tqdm(images, desc="zero-shot", unit="picture", disable=None):
        if item.ground_truth is None:
            continue
        pixels, _ = preprocess(read_rgb(item.image))
        tokens = clip.image.dense(torch.from_numpy(pixels)[None])
        similarity = text_similarity(tokens, texts[item.action][None])
        raw = similarity.reshape(pixels.shape[1] // patch, -1).numpy().astype(np.float32)
        truth = protocol.prepare_ground_truth(read_grey(item.ground_truth))
        scores.append(ImageScore(item, protocol.score(protocol.prepare_raw_map(raw), truth)))
    return scores
