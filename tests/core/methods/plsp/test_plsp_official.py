"""The authors' checkpoint, and models on disk, as grounders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from affordance_grounding_core import CheckpointError, load_grounder
from affordance_grounding_core.actions.datasets import AGD20K_SEEN, AGD20K_UNSEEN
from affordance_grounding_core.backbones.clip import random_clip
from affordance_grounding_core.checkpoints.format import read_checkpoint, write_checkpoint
from affordance_grounding_core.methods.plsp import official
from affordance_grounding_core.methods.plsp import official as importing
from affordance_grounding_core.methods.plsp.config import PlspNetworkConfig
from affordance_grounding_core.methods.plsp.encoders import ClipTokens
from affordance_grounding_core.methods.plsp.network import PlspNetwork
from affordance_grounding_core.methods.plsp.official import import_plsp

WIDTH = 16


def small_network(actions: int) -> PlspNetwork:
    config = PlspNetworkConfig(
        actions=actions,
        width=WIDTH,
        fuser_depth=4,
        decoder_heads=4,
        decoder_hidden=8,
        classifier_hidden=4,
    )
    return PlspNetwork(config, ClipTokens(32, 8, 16, 12, 2, WIDTH))


@pytest.fixture(autouse=True)
def small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The published names at sizes that a test can write."""

    def published(actions: int) -> PlspNetwork:
        with torch.device("meta"):
            return small_network(actions)

    monkeypatch.setattr(official, "published_network", published)


@pytest.fixture
def trained() -> PlspNetwork:
    torch.manual_seed(3)
    network = small_network(36)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return network.eval()


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    torch.manual_seed(4)
    path = tmp_path / "verbs.pth"
    torch.save({action: torch.randn(1, WIDTH) for action in AGD20K_SEEN}, path)
    return path


def write(path: Path, tensors: Mapping[str, torch.Tensor]) -> Path:
    torch.save({"optimizer": {"state": {0: {"step": 3}}}, "state_dict": dict(tensors)}, path)
    return path


@pytest.fixture
def published_file(trained: PlspNetwork, tmp_path: Path) -> Path:
    return write(tmp_path / "bestKLD.ckpt", trained.state_dict())


def test_the_import_answers_as_the_network_does(
    published_file: Path, vectors: Path, trained: PlspNetwork, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    lines = import_plsp(published_file, folder, verb_vectors=vectors)
    assert lines[0].startswith(f"{folder}: 351 tensors of bestKLD.ckpt")
    grounder = load_grounder(folder, "eager")
    assert grounder.actions == AGD20K_SEEN
    image = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    maps = grounder.evaluation_maps(image, ["hold", "beat"])["log_density"]

    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    scaled = (torch.from_numpy(image).float() / 255 - torch.tensor(mean)) / torch.tensor(std)
    verbs = torch.load(vectors, weights_only=True)
    asked = torch.cat([verbs["hold"], verbs["beat"]])
    with torch.no_grad():
        logits = trained(scaled.permute(2, 0, 1)[None].expand(2, -1, -1, -1), asked).logits
    expected = functional.log_softmax(logits.flatten(1), 1).reshape(2, 16, 16) + np.log(256)
    np.testing.assert_allclose(maps, expected.numpy(), rtol=1e-4, atol=1e-4)

    heat = grounder.heatmaps(image, ["hold"])
    assert heat.shape == (1, 32, 32)
    assert 0 <= heat.min() <= heat.max() <= 1


def test_the_random_positions_are_those_of_the_file(
    published_file: Path, vectors: Path, trained: PlspNetwork, tmp_path: Path
) -> None:
    import_plsp(published_file, tmp_path / "model", verb_vectors=vectors)
    name = "pred_decoder.pe_layer.positional_encoding_gaussian_matrix"
    stored = read_checkpoint(tmp_path / "model").tensors[f"network.{name}"]
    assert torch.equal(stored, trained.state_dict()[name])


def test_clip_brings_free_text(
    published_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from affordance_grounding_core.methods.plsp import checkpoint

    clip = random_clip(embedding_width=WIDTH, layers=1)
    monkeypatch.setattr(importing, "load_clip", lambda weights: clip)
    monkeypatch.setattr(
        checkpoint, "empty_clip", lambda: random_clip(embedding_width=WIDTH, layers=1)
    )
    lines = import_plsp(published_file, tmp_path / "model", split="Unseen")
    assert "Free text is understood" in lines[1]
    grounder = load_grounder(tmp_path / "model", "eager")
    assert set(grounder.actions) == set(AGD20K_UNSEEN)
    assert grounder.similarity is not None
    words = [action.replace("_", " ") for action in grounder.actions]
    stored = read_checkpoint(tmp_path / "model").tensors["actions"]
    torch.testing.assert_close(stored, clip.text.encode(words))
    assert grounder.similarity.resolve("cut with").action == "cut_with"


def test_heat_is_fitted_on_data(
    published_file: Path, vectors: Path, drawn_data: Path, tmp_path: Path
) -> None:
    lines = import_plsp(
        published_file, tmp_path / "model", verb_vectors=vectors, calibrate_on=drawn_data
    )
    assert lines[-1].startswith("Heat fitted on 12 images of drawn/trainset")
    heat = read_checkpoint(tmp_path / "model").config["heat"]
    assert heat["fitted_on"] == "12 images of drawn/trainset"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {**t, "extra": torch.zeros(1)}, r"1 unknown \(extra\)"),
        (lambda t: {k: v for k, v in t.items() if "reason" not in k}, r"4 missing \(reason.0.bias"),
        (
            lambda t: {**t, "exo_cls.0.bias": torch.zeros(7)},
            r"of another shape \(exo_cls.0.bias \(7,\) instead of \(4,\)",
        ),
        (
            lambda t: {**t, "exo_cls.0.bias": torch.full((4,), float("nan"))},
            r"not finite in \['exo_cls.0.bias'\]",
        ),
    ],
)
def test_incomplete_files_are_refused_by_name(
    change: object, message: str, trained: PlspNetwork, vectors: Path, tmp_path: Path
) -> None:
    tensors = change(dict(trained.state_dict()))  # type: ignore[operator]
    file = write(tmp_path / "partial.ckpt", tensors)
    with pytest.raises(CheckpointError, match=message):
        import_plsp(file, tmp_path / "model", verb_vectors=vectors)
    assert not (tmp_path / "model").exists()


def test_pickled_code_is_refused(vectors: Path, tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("ran",)

    torch.save({"state_dict": Harmful()}, tmp_path / "bad.ckpt")
    with pytest.raises(CheckpointError, match="pickled code is never run"):
        import_plsp(tmp_path / "bad.ckpt", tmp_path / "model", verb_vectors=vectors)


def test_vectors_of_another_width_are_refused(published_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    torch.save({action: torch.randn(24) for action in AGD20K_SEEN}, other)
    with pytest.raises(CheckpointError, match=r"shape \(36, 16\) .* got \(36, 24\)"):
        import_plsp(published_file, tmp_path / "model", verb_vectors=other)
    torch.save({"hold": torch.randn(16)}, other)
    with pytest.raises(CheckpointError, match=r"lack the actions \['beat', "):
        import_plsp(published_file, tmp_path / "model", verb_vectors=other)


def test_a_checkpoint_of_another_split_is_refused(vectors: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    ten = write(tmp_path / "ten.ckpt", small_network(10).state_dict())
    for split in ("Seen", "Unseen"):
        with pytest.raises(CheckpointError, match=f"another split than '{split}': its 10 classes"):
            import_plsp(ten, tmp_path / "model", verb_vectors=vectors, split=split)


def test_mixed_parts_are_refused(published_file: Path, vectors: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    import_plsp(published_file, folder, verb_vectors=vectors)
    checkpoint = read_checkpoint(folder)
    config = json.loads((folder / "config.json").read_text())
    del config["weights_sha256"]  # written anew with other tensors
    tensors = dict(checkpoint.tensors)
    for change, extra, reason in (
        ({"actions": ["hold"]}, {}, r"shape \(1, 16\)"),
        ({"grid": [4]}, {}, "does not fit"),
        ({"network": config["network"] | {"width": 32}}, {}, r"shape \(36, 32\)"),
        ({"encoder": config["encoder"] | {"heads": 5}}, {}, "5 heads"),
        ({}, {"stray": torch.zeros(1)}, "'stray' belongs to no part"),
        ({}, {"network.stray": torch.zeros(1)}, 'Unexpected key.s. in state_dict: "stray"'),
    ):
        write_checkpoint(folder, config | change, tensors | extra)
        with pytest.raises(CheckpointError, match=reason):
            load_grounder(folder, "eager")


def test_more_actions_of_one_image_cost_one_encoder_run(
    published_file: Path, vectors: Path, tmp_path: Path
) -> None:
    import_plsp(published_file, tmp_path / "model", verb_vectors=vectors)
    grounder = load_grounder(tmp_path / "model", "eager")
    runs = []
    network = grounder._runtime.network  # type: ignore[attr-defined]
    network.network.encoder.register_forward_hook(lambda *_: runs.append(1))
    image = np.full((40, 60, 3), 90, np.uint8)
    many = grounder.heatmaps(image, ["hold", "beat", "write"])
    assert len(runs) == 1
    one = grounder.heatmaps(image, ["write"])
    np.testing.assert_allclose(many[2], one[0], atol=1e-6)
