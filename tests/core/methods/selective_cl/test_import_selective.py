"""A synthetic checkpoint of the published names and shapes, imported and run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import timm
import torch
from torch import nn
from torch.nn import functional
from typer.testing import CliRunner

from affordance_grounding_core.actions.datasets import AGD20K_UNSEEN
from affordance_grounding_core.checkpoints.format import read_checkpoint
from affordance_grounding_core.checkpoints.official import OfficialFile
from affordance_grounding_core.commands.cli import app
from affordance_grounding_core.errors import ArtifactError, CheckpointError
from affordance_grounding_core.loading import load_grounder
from affordance_grounding_core.methods.selective_cl.checkpoint import (
    StoredModel,
    build_network,
    read_model,
)
from affordance_grounding_core.methods.selective_cl.official import (
    locate_from_official,
    selective_cl_from_official,
)
from affordance_grounding_core.runtimes.export_folder import ExportedModel, write_exported
from affordance_grounding_core.runtimes.request import RuntimeRequest

pytestmark = pytest.mark.slow  # the published sizes: 178 million parameters

ACTIONS = 25
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Published(nn.Module):
    """The published network as the papers describe it, from timm's and open_clip's models."""

    def __init__(self) -> None:
        super().__init__()
        self.vit_model = timm.create_model("vit_small_patch16_224.dino", num_classes=0)
        self.net = open_clip.create_model("ViT-B-16-quickgelu")
        self.aff_proj = nn.Module()
        self.aff_proj.norm = nn.LayerNorm(384)
        self.aff_proj.fc1 = nn.Linear(384, 1536)
        self.aff_proj.fc2 = nn.Linear(1536, 384)
        self.aff_ego_proj, self.aff_exo_proj = self.convolutions(), self.convolutions()
        self.aff_classifier = nn.Conv2d(384, ACTIONS, 1)
        self.K_contrast_projection = nn.Conv2d(384, 384, 1)
        self.pixel_contrast_projection = nn.Conv2d(384, 384, 1)

    @staticmethod
    def convolutions() -> nn.Sequential:
        layers: list[nn.Module] = []
        for _ in range(2):
            norm = nn.BatchNorm2d(384)
            nn.init.normal_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.5, 2.0)
            layers += [nn.Conv2d(384, 384, 3, padding=1), norm, nn.ReLU()]
        return nn.Sequential(*layers)

    def descriptors(self, pixels: torch.Tensor) -> torch.Tensor:
        seen: dict[str, torch.Tensor] = {}
        attention = self.vit_model.blocks[-1].attn
        hook = attention.qkv.register_forward_hook(lambda *a: seen.update(qkv=a[2]))
        self.vit_model.forward_features(pixels)
        hook.remove()
        keys = seen["qkv"][0, 1:, 384:768].reshape(196, 6, 64)
        return keys.permute(0, 2, 1).reshape(196, 384)

    def class_maps(self, pixels: torch.Tensor, *, skip: bool) -> torch.Tensor:
        described = self.descriptors(pixels)
        hidden = functional.gelu(self.aff_proj.fc1(self.aff_proj.norm(described)))
        projected = self.aff_proj.fc2(hidden) + (described if skip else 0.0)
        grid = projected.T.reshape(1, 384, 14, 14)
        return self.aff_classifier(self.aff_ego_proj(grid))[0]

    def affinity(self, pixels: torch.Tensor, prompt: str) -> torch.Tensor:
        seen: dict[str, torch.Tensor] = {}
        visual = self.net.visual
        block = visual.transformer.resblocks[-1]
        hook = block.register_forward_pre_hook(lambda *a: seen.update(x=a[1][0]))
        visual(pixels)
        hook.remove()
        normed = block.ln_1(seen["x"])[0]
        qkv = functional.linear(normed, block.attn.in_proj_weight, block.attn.in_proj_bias)
        query, _, value = (p.reshape(197, 12, 64).transpose(0, 1) for p in qkv.chunk(3, dim=-1))
        weights = (query @ query.transpose(1, 2) / 8.0).softmax(dim=-1)
        mixed = block.attn.out_proj((weights @ value).transpose(0, 1).reshape(197, 768))
        tokens = (visual.ln_post(mixed) @ visual.proj)[1:]
        text = self.net.encode_text(open_clip.get_tokenizer("ViT-B-16")([prompt]))[0]
        cosine = functional.cosine_similarity(tokens, text[None]).reshape(14, 14)
        return (cosine - cosine.min()) / (cosine.max() - cosine.min())


@pytest.fixture(scope="module")
def published() -> Iterator[Published]:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        yield Published().eval()


@pytest.fixture(scope="module")
def official(published: Published) -> OfficialFile:
    tensors = dict(published.state_dict())
    assert len(tensors) == 492
    return OfficialFile(Path("selective.pth"), "0" * 64, tensors)


@pytest.fixture(scope="module")
def imported(official: OfficialFile) -> StoredModel:
    return selective_cl_from_official(official)


def locate_file(official: OfficialFile) -> OfficialFile:
    left_out = ("net.", "K_contrast_projection.", "pixel_contrast_projection.")
    tensors = {
        name.replace("aff_classifier.", "aff_fc."): value
        for name, value in official.tensors.items()
        if not name.startswith(left_out)
    }
    return OfficialFile(Path("locate.pth"), "0" * 64, tensors)


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_the_imported_network_equals_a_direct_computation(
    published: Published, imported: StoredModel, pixels: torch.Tensor
) -> None:
    assert imported.actions == AGD20K_UNSEEN
    indices = [AGD20K_UNSEEN.index("hold"), AGD20K_UNSEEN.index("cut_with")]
    network = build_network(imported)
    found = network.evaluation_maps(pixels, torch.tensor(indices))
    maps = published.class_maps(pixels, skip=False)[indices]
    prompts = ["an item to hold with", "an item to cut_with"]
    affinity = torch.stack([published.affinity(pixels, prompt) for prompt in prompts])
    torch.testing.assert_close(found["class_map"], maps, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found["calibrated_class_map"], affinity * maps, rtol=1e-3, atol=1e-5)
    heat = network(pixels, torch.tensor(indices))
    torch.testing.assert_close(heat, torch.sigmoid(affinity * maps), rtol=1e-3, atol=1e-5)


@torch.no_grad()
def test_locate_equals_a_direct_computation(
    published: Published, official: OfficialFile, pixels: torch.Tensor
) -> None:
    file = locate_file(official)
    assert len(file.tensors) == 186
    network = build_network(locate_from_official(file))
    found = network.evaluation_maps(pixels, torch.arange(ACTIONS))
    assert found.keys() == {"class_map"}
    expected = published.class_maps(pixels, skip=True)
    torch.testing.assert_close(found["class_map"], expected, rtol=1e-4, atol=1e-5)


def test_every_tensor_is_kept(official: OfficialFile, imported: StoredModel) -> None:
    """492 in: the head, DINO and both encoders of CLIP out; the text vectors come on top."""
    config, tensors = imported.as_checkpoint({})
    ours = {
        "vit_model.": "descriptor.",
        "net.": "clip.",
    }
    for name, value in official.tensors.items():
        prefix = next((p for p in ours if name.startswith(p)), None)
        stored = f"head.{name}" if prefix is None else ours[prefix] + name.removeprefix(prefix)
        assert torch.equal(tensors.pop(stored), value), name
    assert sorted(tensors) == ["texts.action", "texts.exocentric"]
    assert json.loads(json.dumps(config))["method"] == "selective_cl"


def test_other_files_are_refused_by_what_is_wrong(official: OfficialFile) -> None:
    def changed(**changes: torch.Tensor | None) -> OfficialFile:
        tensors = {**official.tensors, **{n.replace("__", "."): v for n, v in changes.items()}}
        kept = {name: value for name, value in tensors.items() if value is not None}
        return OfficialFile(Path("file.pth"), "0" * 64, kept)

    cases: list[tuple[Any, str]] = [
        (changed(net__logit_scale=None), r"of 492 tensors 1 missing \(net\.logit_scale\)"),
        (changed(net__more=torch.zeros(1)), r"1 unknown \(net\.more\)"),
        (changed(vit_model__pos_embed=torch.zeros(1, 5, 384)), r"vit_model\.pos_embed \(1, 5"),
        (changed(aff_classifier__weight=None), "it has no classifier 'aff_classifier.weight'"),
        (locate_file(official), "is a LOCATE checkpoint.*import locate"),
    ]
    for file, message in cases:
        with pytest.raises(CheckpointError, match=message):
            selective_cl_from_official(file)
    with pytest.raises(CheckpointError, match=r"is a SelectiveCL checkpoint.*import selective-cl"):
        locate_from_official(official)


def test_from_the_command_line_to_a_grounder(official: OfficialFile, tmp_path: Path) -> None:
    """LOCATE's file is the smaller one: file in, checkpoint folder out, grounder from it."""
    file, folder = tmp_path / "locate.pth", tmp_path / "model"
    torch.save(dict(locate_file(official).tensors), file)
    result = CliRunner().invoke(app, ["import", "locate", str(file), str(folder)])
    assert result.exit_code == 0, result.output
    assert "186 tensors of locate.pth" in result.output
    assert "Heat is not calibrated" in result.output
    again = CliRunner().invoke(app, ["import", "locate", str(file), str(folder)])
    assert isinstance(again.exception, CheckpointError)
    assert "--overwrite" in str(again.exception)
    model = read_model(read_checkpoint(folder))
    assert model.backbones.embedded
    grounder = load_grounder(folder, "eager")
    image = np.random.default_rng(0).integers(0, 256, (120, 90, 3), np.uint8)
    heat = grounder.heatmaps(image, ["hold", "cut_with"])
    assert heat.shape == (2, 120, 90)
    assert 0.0 <= heat.min() <= heat.max() <= 1.0


@pytest.mark.slow
def test_an_import_that_is_calibrated_later_is_another_model(
    official: OfficialFile, drawn_data: Path, tmp_path: Path
) -> None:
    """The engines of the first import are not those of the second, nor is its export."""
    pytest.importorskip("openvino")
    file, folder, exported = tmp_path / "locate.pth", tmp_path / "model", tmp_path / "exported"
    torch.save(dict(locate_file(official).tensors), file)
    image = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    imports = ["import", "locate", str(file), str(folder)]
    fingerprints = set()
    for options in ([], ["--overwrite", "--calibrate-on", str(drawn_data)]):
        result = CliRunner().invoke(app, [*imports, *options])
        assert result.exit_code == 0, result.output
        expected = load_grounder(folder, "eager").heatmaps(image, ["hold", "hit"])
        request = RuntimeRequest("openvino", "fp32", store=tmp_path / "engines", fall_back=False)
        grounder = load_grounder(folder, request=request)
        grounder.warm_up(224, 224)
        found = grounder.heatmaps(image, ["hold", "hit"])
        np.testing.assert_allclose(found, expected, atol=2e-3)
        fingerprints.add(grounder.information.fingerprint)
        grounder.close()
        if not options:
            described = ExportedModel(str(folder), *fingerprints, "openvino", "fp32")
            exported.mkdir()
            write_exported(exported, described)
            load_grounder(exported).close()
    assert len(fingerprints) == 2
    with pytest.raises(ArtifactError, match=r"exported from model .*model.*export it again"):
        load_grounder(exported)
