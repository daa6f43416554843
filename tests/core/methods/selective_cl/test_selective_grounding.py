from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torchvision import transforms

from affordance_grounding_core.backbones.clip import Clip, random_clip
from affordance_grounding_core.backbones.dino import Dino
from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.transformer_backbone import TransformerSizes
from affordance_grounding_core.checkpoints.format import read_checkpoint, write_checkpoint
from affordance_grounding_core.data.agd20k import read_evaluation_set
from affordance_grounding_core.errors import CheckpointError, DatasetError
from affordance_grounding_core.evaluation import metrics
from affordance_grounding_core.evaluation.evaluate import evaluate_grounder
from affordance_grounding_core.evaluation.protocols import PROTOCOLS
from affordance_grounding_core.evaluation.report import make_report
from affordance_grounding_core.images import read_grey, read_rgb
from affordance_grounding_core.inference.heat_calibration import HeatCalibration
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.loading import load_grounder
from affordance_grounding_core.methods.selective_cl import checkpoint
from affordance_grounding_core.methods.selective_cl.affinity_sources import (
    SaliencyAffinity,
    encode_actions,
)
from affordance_grounding_core.methods.selective_cl.checkpoint import StoredModel, read_model
from affordance_grounding_core.methods.selective_cl.config import (
    BackboneReference,
    SelectiveHeadConfig,
)
from affordance_grounding_core.methods.selective_cl.frozen_backbones import FrozenBackbones
from affordance_grounding_core.methods.selective_cl.network import (
    MapConfig,
    ProvidedAffinity,
    SelectiveHead,
    SelectiveNetwork,
    TextAffinity,
    calibrate_maps,
)
from affordance_grounding_core.training.heat_fitting import (
    CalibrationSet,
    fit_network_heat,
    read_calibration_set,
)

ACTIONS = ("hold", "drink_with", "hit")
WIDTH, SIDE = 24, 64


@pytest.fixture(scope="module")
def clip() -> Clip:
    return random_clip(0, image_size=SIDE, patch_size=16)


@pytest.fixture(scope="module")
def dino() -> Dino:
    torch.manual_seed(0)
    return Dino(sizes=TransformerSizes(SIDE, 16, WIDTH, 2, 6))


@pytest.fixture
def head() -> SelectiveHead:
    torch.manual_seed(1)
    return SelectiveHead(SelectiveHeadConfig(len(ACTIONS), WIDTH, hidden=32))


@pytest.fixture
def network(dino: Dino, clip: Clip, head: SelectiveHead) -> SelectiveNetwork:
    texts = encode_actions(clip, ACTIONS)
    return SelectiveNetwork(
        FrozenBackbones(dino, clip.image),
        head,
        TextAffinity(texts.action),
        MapConfig(),
        HeatCalibration(5.0, -0.5),
    )


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))


def count_calls(network: SelectiveNetwork) -> dict[str, int]:
    """Count how often each backbone is run from now on."""
    calls = {"dino": 0, "clip": 0}

    def counted(name: str) -> Callable[..., None]:
        def hook(*_: object) -> None:
            calls[name] += 1

        return hook

    backbones = network.backbones
    backbones.descriptor.transformer.blocks[0].register_forward_hook(counted("dino"))
    if backbones.clip is not None:
        backbones.clip.visual.transformer.resblocks[0].mlp.register_forward_hook(counted("clip"))
    return calls


@torch.no_grad()
def test_backbones_run_once_however_many_actions(
    network: SelectiveNetwork, pixels: torch.Tensor
) -> None:
    calls = count_calls(network)
    heat = network(pixels, torch.tensor([2, 0, 1, 2]))
    assert calls == {"dino": 1, "clip": 1}
    assert heat.shape == (4, 4, 4)
    assert 0.0 < heat.min() <= heat.max() < 1.0


@torch.no_grad()
def test_an_action_has_the_heat_it_has_among_others(
    network: SelectiveNetwork, pixels: torch.Tensor
) -> None:
    together = network(pixels, torch.arange(3))
    for action in range(3):
        alone = network(pixels, torch.tensor([action]))
        torch.testing.assert_close(alone[0], together[action])


@torch.no_grad()
def test_the_maps_of_the_paper_and_the_heat_are_one_computation(
    network: SelectiveNetwork, clip: Clip, head: SelectiveHead, pixels: torch.Tensor
) -> None:
    maps = network.evaluation_maps(pixels, torch.arange(3))
    described = network.backbones.descriptor.describe(pixels, attention=False)
    class_maps = head(described.patches, 4, 4)[0]
    tokens = clip.image.dense(pixels)[0]
    texts = clip.text.encode(["an item to hold with", "an item to drink_with"])
    cosine = torch.nn.functional.cosine_similarity(tokens[None], texts[:, None], dim=-1)
    low, high = cosine.amin(dim=1, keepdim=True), cosine.amax(dim=1, keepdim=True)
    affinity = ((cosine - low) / (high - low)).reshape(2, 4, 4)
    torch.testing.assert_close(maps["class_map"], class_maps)
    torch.testing.assert_close(
        maps["calibrated_class_map"][:2], class_maps[:2] * affinity, rtol=1e-4, atol=1e-5
    )
    expected = torch.sigmoid(5.0 * maps["calibrated_class_map"] - 0.5)
    torch.testing.assert_close(network(pixels, torch.arange(3)), expected)


@torch.no_grad()
def test_without_calibration_clip_is_not_looked_at(
    dino: Dino, clip: Clip, head: SelectiveHead, pixels: torch.Tensor
) -> None:
    """A network that is not calibrated is given no CLIP, and needs no class attention."""
    network = SelectiveNetwork(
        FrozenBackbones(dino, None), head, None, MapConfig("off"), HeatCalibration()
    )
    maps = network.evaluation_maps(pixels, torch.arange(3))
    assert maps.keys() == {"class_map"}
    expected = torch.sigmoid(maps["class_map"])
    torch.testing.assert_close(network(pixels, torch.arange(3)), expected)


def test_calibrations_differ_as_documented() -> None:
    maps = torch.tensor([[[2.0, -1.0], [3.0, 4.0]]])
    affinity = torch.tensor([[[0.5, 0.7], [0.6, 1.0]]])
    raw = calibrate_maps(maps, affinity, MapConfig("raw"))
    assert raw.tolist() == [[[1.0, pytest.approx(-0.7)], [pytest.approx(1.8), 4.0]]]
    binarised = calibrate_maps(maps, affinity, MapConfig("binarised", 0.6))
    assert binarised.tolist() == [[[0.0, -1.0], [0.0, 4.0]]]
    assert calibrate_maps(maps, affinity, MapConfig("off")) is maps


@pytest.mark.parametrize(("calibration", "threshold"), [("soft", 0.6), ("raw", 1.0), ("raw", -0.1)])
def test_calibrations_that_make_no_sense_are_refused(calibration: str, threshold: float) -> None:
    with pytest.raises(ValueError, match=r"calibration must be|threshold of the affinity"):
        MapConfig(calibration, threshold)  # type: ignore[arg-type]


@torch.no_grad()
def test_backbones_of_other_patch_sizes_see_one_grid(clip: Clip, head: SelectiveHead) -> None:
    torch.manual_seed(0)
    dinov2 = Dinov2(sizes=TransformerSizes(56, 14, WIDTH, 2, 6))
    network = SelectiveNetwork(
        FrozenBackbones(dinov2, clip.image),
        head,
        TextAffinity(encode_actions(clip, ACTIONS).action),
        MapConfig(),
        HeatCalibration(),
    )
    heat = network(torch.randn(1, 3, 70, 42), torch.arange(3))
    assert heat.shape == (3, 5, 3)


@torch.no_grad()
@pytest.mark.parametrize("source", ["contrast", "attention"])
def test_saliency_calibrates_without_text(
    dino: Dino, head: SelectiveHead, pixels: torch.Tensor, source: str
) -> None:
    provider = SaliencyAffinity(source=source)  # type: ignore[arg-type]
    affinity = ProvidedAffinity(provider, needs_attention=source == "attention")
    network = SelectiveNetwork(
        FrozenBackbones(dino, None), head, affinity, MapConfig(), HeatCalibration()
    )
    maps = network.evaluation_maps(pixels, torch.tensor([1, 0]))
    features = network.backbones(pixels)
    expected = maps["class_map"] * provider.affinity(features, torch.tensor([1, 0]))
    torch.testing.assert_close(maps["calibrated_class_map"], expected)


def stored(head: SelectiveHead, clip: Clip) -> StoredModel:
    return StoredModel(
        actions=ACTIONS,
        network=head.config,
        head=head.state_dict(),
        backbones=BackboneReference("dino_vits16", "clip"),
        texts=encode_actions(clip, ACTIONS),
        maps=MapConfig("binarised", 0.4),
        heat=HeatCalibration(2.0, -1.0, "drawings"),
        preprocess=PreprocessConfig(size=SIDE, multiple=16),
    )


@pytest.fixture
def folder(tmp_path: Path, head: SelectiveHead, clip: Clip) -> Path:
    """A checkpoint folder of a tiny model."""
    write_checkpoint(tmp_path / "model", *stored(head, clip).as_checkpoint({"training": {}}))
    return tmp_path / "model"


@pytest.fixture
def tiny_backbones(monkeypatch: pytest.MonkeyPatch, dino: Dino, clip: Clip) -> None:
    """Backbones as they would be loaded by their names, but tiny."""
    monkeypatch.setattr(checkpoint, "load_descriptor_backbone", lambda name, path: dino)
    monkeypatch.setattr(checkpoint, "load_clip", lambda: clip)


def test_a_model_comes_back_as_it_was_stored(folder: Path, head: SelectiveHead, clip: Clip) -> None:
    model, expected = read_model(read_checkpoint(folder)), stored(head, clip)
    for name in ("actions", "network", "backbones", "maps", "heat", "preprocess", "regions"):
        assert getattr(model, name) == getattr(expected, name)
    for name, value in head.state_dict().items():
        assert torch.equal(model.build_head().state_dict()[name], value)


@pytest.mark.usefixtures("tiny_backbones")
def test_a_stored_model_grounds(folder: Path, head: SelectiveHead, dino: Dino, clip: Clip) -> None:
    grounder = load_grounder(folder, "eager")
    image = np.random.default_rng(0).integers(0, 256, (48, 80, 3), np.uint8)
    heatmaps = grounder.heatmaps(image, ["hit", "grasp"])
    network = SelectiveNetwork(
        FrozenBackbones(dino, clip.image),
        head,
        TextAffinity(encode_actions(clip, ACTIONS).action),
        MapConfig("binarised", 0.4),
        HeatCalibration(2.0, -1.0),
    )
    prepared, geometry = grounder.preprocess(image)
    coarse = network(torch.from_numpy(prepared)[None], torch.tensor([2, 0])).numpy()
    for found, heat in zip(heatmaps, coarse, strict=True):
        expected = grounder.preprocess.heat_to_image(heat, geometry)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert grounder.information.method == "selective_cl"
    assert grounder.similarity is not None


@pytest.mark.usefixtures("tiny_backbones")
def test_layers_of_training_alone_may_be_missing(folder: Path, tmp_path: Path) -> None:
    checkpoint = read_checkpoint(folder)
    kept = {n: v for n, v in checkpoint.tensors.items() if "aff_exo_proj" not in n}
    config = {k: v for k, v in checkpoint.config.items() if not k.endswith("sha256")}
    write_checkpoint(tmp_path / "smaller", config, kept)
    image = np.zeros((32, 32, 3), np.uint8)
    first = load_grounder(folder, "eager").heatmaps(image, ["hold"])
    np.testing.assert_array_equal(
        load_grounder(tmp_path / "smaller", "eager").heatmaps(image, ["hold"]), first
    )


@pytest.mark.usefixtures("tiny_backbones")
@pytest.mark.parametrize(
    ("changes", "dropped", "message"),
    [
        ({"actions": ["hold", "hit"]}, None, "2 actions for a head of 3 channels"),
        ({"actions": ["hold", "hit", "Hit!"]}, None, "lower case"),
        ({"maps": {"calibration": "soft"}}, None, "section 'maps': calibration must be"),
        ({"heat": {"scale": -1.0}}, None, "section 'heat': heat needs"),
        ({"backbones": {"descriptor": "resnet"}}, None, "descriptor backbone must be"),
        ({"preprocess": 3}, None, "section 'preprocess' is missing or no mapping"),
        ({}, "head.aff_proj.fc1.weight", r"missing \['aff_proj.fc1.weight'\]"),
        ({}, "texts.action", r"'action'"),
    ],
)
def test_checkpoints_that_do_not_fit_are_refused(
    folder: Path, tmp_path: Path, changes: dict[str, object], dropped: str | None, message: str
) -> None:
    checkpoint = read_checkpoint(folder)
    config = {k: v for k, v in checkpoint.config.items() if not k.endswith("sha256")} | changes
    tensors = {name: value for name, value in checkpoint.tensors.items() if name != dropped}
    write_checkpoint(tmp_path / "other", json.loads(json.dumps(config)), tensors)
    with pytest.raises(CheckpointError, match=message):
        load_grounder(tmp_path / "other", "eager")


@pytest.mark.usefixtures("tiny_backbones")
def test_other_backbone_weights_than_in_training_are_told(
    tmp_path: Path, head: SelectiveHead, clip: Clip, caplog: pytest.LogCaptureFixture
) -> None:
    reference = BackboneReference("dino_vits16", "clip", descriptor_fingerprint="0" * 64)
    model = replace(stored(head, clip), backbones=reference)
    write_checkpoint(tmp_path / "model", *model.as_checkpoint({}))
    with caplog.at_level(logging.WARNING):
        load_grounder(tmp_path / "model", "eager")
    assert "dino_vits16 has fingerprint" in caplog.text


@pytest.mark.usefixtures("tiny_backbones")
def test_raw_maps_are_scored_as_the_published_code_does(folder: Path, drawn_data: Path) -> None:
    """Torchvision's squash, the grid resized by OpenCV, min-max: written out here."""
    grounder = load_grounder(folder, "eager")
    dataset = read_evaluation_set(drawn_data)
    evaluation = evaluate_grounder(grounder, dataset, PROTOCOLS["locate"], {})
    network = grounder._runtime.network  # type: ignore[attr-defined]
    prepare = transforms.Compose(
        [
            transforms.ToPILImage(),
            transforms.Resize((SIDE, SIDE)),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    assert evaluation.raw_maps.keys() == {"class_map", "calibrated_class_map"}
    for name, scores in evaluation.raw_maps.items():
        assert [s.image for s in scores] == [s.image for s in evaluation.scores]
        for item in scores[:3]:
            image = prepare(read_rgb(item.image.image))[None]
            index = torch.tensor([ACTIONS.index(item.image.action)])
            with torch.no_grad():
                raw = network.evaluation_maps(image, index)[name][0].numpy()
            resized = cv2.resize(raw, (224, 224))
            prediction = (resized - resized.min()) / (resized.max() - resized.min() + 1e-10)
            assert item.image.ground_truth is not None
            truth = cv2.resize(read_grey(item.image.ground_truth), (224, 224))
            expected = float(metrics.locate_kld(prediction, truth))
            assert item.score.kld == pytest.approx(expected, rel=1e-4)


@pytest.mark.usefixtures("tiny_backbones")
def test_the_report_ties_raw_maps_to_protocol_and_checkpoint(
    folder: Path, drawn_data: Path
) -> None:
    grounder = load_grounder(folder, "eager")
    dataset = read_evaluation_set(drawn_data)
    evaluation = evaluate_grounder(grounder, dataset, PROTOCOLS["plsp"], {})
    report = make_report(grounder, dataset, "plsp", evaluation, {})
    written = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert written["protocol"] == "plsp"
    assert written["fingerprint"] == read_checkpoint(folder).fingerprint
    for name in ("class_map", "calibrated_class_map"):
        assert written["raw_maps"][name]["overall"]["n"] == len(evaluation.scores)
        assert written["raw_maps"][name]["per_action"].keys() == written["per_action"].keys()
        assert written["raw_maps"][name]["per_object"].keys() == written["per_object"].keys()
        assert name in report.as_text()


@pytest.mark.usefixtures("tiny_backbones")
def test_heat_is_fitted_on_what_objects_afford(network: SelectiveNetwork, drawn_data: Path) -> None:
    preprocess = Preprocess(PreprocessConfig(size=SIDE, multiple=16))
    images = read_calibration_set(drawn_data, None, limit=5)
    assert len(images.images) == 5
    assert images.affordances["mug"] == {"hold", "drink_with"}
    heat = fit_network_heat(network, preprocess, ACTIONS, images)
    assert heat.scale > 0
    assert heat.fitted_on == "5 images of drawn/trainset"


@pytest.mark.usefixtures("tiny_backbones")
def test_heat_needs_something_that_is_not_afforded(
    network: SelectiveNetwork, drawn_data: Path
) -> None:
    read = read_calibration_set(drawn_data, None, limit=2)
    everything = CalibrationSet(read.images, {"mug": ACTIONS, "hammer": ACTIONS}, "two images")
    with pytest.raises(DatasetError, match="heat cannot be fitted on two images"):
        fit_network_heat(
            network, Preprocess(PreprocessConfig(size=SIDE, multiple=16)), ACTIONS, everything
        )
