"""Do the exocentric pictures teach where to act? A simple transfer against guesses.

    PYTHONPATH=tools/render_affordances python -m render_affordances.gate --data DATA/Seen

Runs in the project's environment, not in Blender's. From image-level labels alone
(docs/train/weak_labels.md): what exocentric pictures of all classes have in common and egocentric
ones never show is a hand; what the object's patches at the hand have and those away from it have
not is looked for in egocentric pictures, of which the class of object is known. If that does not
beat a guess at the centre and all of the object alike, the pictures do not show what they should,
and more of them will not help.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from tqdm import tqdm

from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.weights import load_pinned
from affordance_grounding_core.data.agd20k import (
    EvaluationImage,
    read_evaluation_set,
    read_training_set,
)
from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_core.evaluation.baselines import (
    centre_prior_baseline,
    evaluate_baselines,
    uniform_baseline,
)
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.evaluation.summary import ImageScore, MeanScore, mean_score
from affordance_grounding_core.images import read_grey, read_rgb
from affordance_grounding_core.methods.action_head.weak.config import WeakLabelConfig
from render_affordances.gate.transfer import Bank, Transfer, learn_transfer

Patches = NDArray[np.float32]

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_LAST_BLOCK = 11


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gate; returns 0 where the transfer beats centre prior and object in KLD, else 1."""
    options = _parse(arguments)
    torch.set_num_threads(options.threads)
    try:
        scores = run_gate(options.data, options.size, options.limit)
    except (AffordanceGroundingError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name, score in scores.items():
        print(f"{name:14} KLD {score.kld:.3f}  SIM {score.sim:.3f}  NSS {score.nss:.3f}")
    if options.json is not None:
        content = {n: {"kld": s.kld, "sim": s.sim, "nss": s.nss} for n, s in scores.items()}
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    beaten = {
        name: scores["transfer"].kld < scores[name].kld for name in ("centre_prior", "object")
    }
    for name, better in beaten.items():
        print(f"the transfer {'beats' if better else 'does NOT beat'} {name}")
    return 0 if all(beaten.values()) else 1


def run_gate(root: Path, size: int, limit: int) -> dict[str, MeanScore]:
    """Learn from a training set and score on its test set.

    Args:
        root: in AGD20K layout, of one split.
        size: side in px to which pictures are squashed, a multiple of 14.
        limit: egocentric training pictures used at most of every class of object.

    Returns:
        Mean scores by the locate protocol of the transfer, of the object without what exocentric
        pictures teach, and of the guesses, on the test pictures whose action was learnt.

    Raises:
        DatasetError: there is no training or no test set.
    """
    training, test = read_training_set(root), read_evaluation_set(root)
    describe = Describer(size)
    bank = Bank()
    used: dict[str, set[str]] = {}
    for image in training.egocentric:
        names = used.setdefault(image.object_name, set())
        if image.image.stem in names or len(names) >= limit:
            continue
        names.add(image.image.stem)
    own = {(i.object_name, i.image.stem): i.image for i in training.egocentric}
    for (name, stem), file in tqdm(sorted(own.items()), desc="egocentric"):
        if stem in used[name]:
            bank.add_egocentric(name, describe(file))
    for shot in tqdm(training.exocentric, desc="exocentric"):
        bank.add_exocentric(shot.object_name, shot.action, describe(shot.image))
    transfer = learn_transfer(bank, WeakLabelConfig())
    images = [
        item
        for item in test.annotated
        if transfer.knows(item.action) and item.object_name in transfer.names
    ]
    protocol = PROTOCOLS["locate"]
    actions = {item.action for item in images}
    guesses = [uniform_baseline(actions), centre_prior_baseline(actions, protocol)]
    scores = {
        **_score(transfer, images, describe, size),
        **evaluate_baselines(guesses, images, protocol),
    }
    return {name: mean_score(values) for name, values in scores.items()}


def _score(
    transfer: Transfer, images: Sequence[EvaluationImage], describe: Describer, size: int
) -> dict[str, list[ImageScore]]:
    protocol = PROTOCOLS["locate"]
    scores: dict[str, list[ImageScore]] = {"transfer": [], "object": []}
    found: dict[Path, Patches] = {}
    for item in tqdm(images, desc="test"):
        if item.image not in found:
            found[item.image] = describe(item.image)
        patches = found[item.image]
        truth = protocol.prepare_ground_truth(read_grey(_truth(item)))
        for name, heat in (
            ("transfer", transfer.heat(patches, item.object_name, item.action)),
            ("object", transfer.object_heat(patches)),
        ):
            prediction = protocol.prepare_prediction(smooth(heat, size))
            scores[name].append(ImageScore(item, protocol.score(prediction, truth)))
    return scores


class Describer:
    """Patch features of pictures: normalised tokens of DINOv2-S.

    Args:
        size: side in px to which pictures are squashed.
    """

    def __init__(self, size: int) -> None:
        self._backbone = Dinov2("dinov2_vits14").eval()
        self._backbone.load_tensors(load_pinned())
        self._size = size
        if size % self._backbone.patch_size:
            raise ValueError(f"size must be a multiple of {self._backbone.patch_size}, got {size}")

    @torch.inference_mode()
    def __call__(self, file: Path) -> Patches:
        """Describe a picture: (n, n, C) float32, rows from the top."""
        picture = cv2.resize(read_rgb(file), (self._size, self._size), interpolation=cv2.INTER_AREA)
        pixels = (picture.astype(np.float32) / 255 - _MEAN) / _DEVIATION
        batch = torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy())
        (tokens,) = self._backbone(batch, (_LAST_BLOCK,))
        patches = functional.layer_norm(tokens[0, 1:], tokens.shape[-1:]).numpy()
        side = self._size // self._backbone.patch_size
        return np.asarray(patches.reshape(side, side, -1), np.float32)


def smooth(heat: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Enlarge a grid of heat to a picture's side and blur it as wide as a ground truth."""
    large = cv2.resize(heat, (size, size), interpolation=cv2.INTER_LINEAR)
    blurred = cv2.GaussianBlur(large, (0, 0), size / 16)
    return np.asarray(blurred, np.float32)


def _truth(item: EvaluationImage) -> Path:
    assert item.ground_truth is not None  # only annotated pictures come here
    return item.ground_truth


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m render_affordances.gate")
    parser.add_argument("--data", type=Path, required=True, help="one split: DATA/Seen")
    parser.add_argument("--size", type=int, default=224, help="of the network's input, px")
    parser.add_argument("--limit", type=int, default=12, help="egocentric pictures of a class")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="file for the scores")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
