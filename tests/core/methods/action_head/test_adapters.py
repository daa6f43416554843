"""Changes of the backbone that are trained with the head."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from action_head_runs import tiny_run

from affordance_grounding_core import CheckpointError, load_grounder
from affordance_grounding_core.backbones.dinov2 import Dinov2
from affordance_grounding_core.backbones.loading import load_dinov2
from affordance_grounding_core.backbones.transformer_backbone import TransformerSizes
from affordance_grounding_core.errors import TrainingError
from affordance_grounding_core.images import read_rgb
from affordance_grounding_core.methods.action_head.adapters import Adapters
from affordance_grounding_core.methods.action_head.config import ActionHeadConfig
from affordance_grounding_core.methods.action_head.network import ActionHead, ActionHeadNetwork
from affordance_grounding_core.methods.action_head.training import train_from_config

CONFIG = ActionHeadConfig(
    actions=2, feature_width=32, blocks=(1, 2, 3), width=32, adapter_rank=4, adapted_from=2
)
ADAPTED = ("--model.adapter_rank=4", "--model.mask_width=8", "--model.width=32")


@pytest.fixture
def backbone() -> Dinov2:
    torch.manual_seed(0)
    built = Dinov2(sizes=TransformerSizes(56, 14, 32, 5, 4))
    for name, parameter in built.named_parameters():
        if name.endswith("gamma"):  # 1e-5 at first: a block would do next to nothing
            parameter.fill_(0.5)
    return built


def weight(backbone: Dinov2, block: int) -> torch.Tensor:
    """Weights of a layer that adapters change."""
    return backbone.transformer.state_dict()[f"blocks.{block}.attn.qkv.weight"]


def changed(adapters: Adapters) -> Adapters:
    """Adapters as after training: no factor is 0."""
    for parameter in adapters.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return adapters


@pytest.mark.parametrize("first", [0, 1, 3])
def test_tokens_that_enter_a_block_give_the_features_of_the_whole(
    backbone: Dinov2, first: int
) -> None:
    pixels = torch.randn(2, 3, 28, 42)
    blocks = (4, max(0, first - 1), 3)
    with torch.inference_mode():
        expected = backbone(pixels, blocks)
        entering = backbone.block_input(pixels, first)
        found = backbone.continue_from(entering, first, blocks)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)
    if first > 1:
        with pytest.raises(ValueError, match=f"none of them before block {first - 1}"):
            backbone.continue_from(entering, first, (first - 2,))


def test_merged_changes_answer_as_attached_ones(backbone: Dinov2) -> None:
    torch.manual_seed(1)
    adapters = changed(Adapters(CONFIG))
    pixels = torch.randn(1, 3, 28, 28)
    merged, plain = copy.deepcopy(backbone), copy.deepcopy(backbone)
    adapters.attach(backbone)
    adapters.merge_into(merged)
    with torch.inference_mode():
        attached = backbone(pixels, (1, 2, 3))
        for one, other in zip(attached, merged(pixels, (1, 2, 3)), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
        before = plain(pixels, (1, 2, 3))
    assert torch.equal(attached[0], before[0])  # the first changed block lies behind it
    assert not torch.allclose(attached[1], before[1], atol=1e-2)
    assert not torch.allclose(attached[2], before[2], atol=1e-2)
    assert torch.equal(weight(merged, 4), weight(plain, 4))  # behind the last that is read


def test_training_begins_without_a_change_and_reaches_every_factor(backbone: Dinov2) -> None:
    torch.manual_seed(2)
    head = ActionHead(CONFIG).train()
    assert head.adapters is not None
    pixels = torch.randn(2, 3, 28, 28)
    entering = backbone.block_input(pixels, CONFIG.adapted_from)
    expected = backbone.continue_from(entering, CONFIG.adapted_from, CONFIG.blocks)
    head.adapters.attach(backbone)
    found = backbone.continue_from(entering, CONFIG.adapted_from, CONFIG.blocks)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)
    head(torch.cat(found, -1), 2, 2).square().sum().backward()
    for name, parameter in head.adapters.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.any()) == name.endswith("up"), name  # down: once up is not 0
    assert all(parameter.grad is None for parameter in backbone.parameters())


def test_a_network_has_the_changes_in_its_backbone(backbone: Dinov2) -> None:
    torch.manual_seed(3)
    head = ActionHead(CONFIG).eval()
    assert head.adapters is not None
    changed(head.adapters)
    before = {name: value.clone() for name, value in backbone.transformer.state_dict().items()}
    network = ActionHeadNetwork(backbone, head)
    assert network.head.adapters is None
    after = network.backbone.transformer.state_dict()
    differ = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert differ == {
        f"blocks.{block}.{layer}.weight"
        for block in (2, 3)
        for layer in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
    }


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"adapted_from": 3}, "none lies before adapted_from - 1 = 2"),
        ({"blocks": (2, -1)}, "none lies before"),
        ({"adapted_from": 4, "blocks": (3, 3)}, "must not lie behind"),
        ({"adapter_rank": -1}, "adapter_rank must not be negative"),
    ],
)
def test_blocks_that_cannot_be_adapted_are_refused(options: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        replace(CONFIG, **options)  # type: ignore[arg-type]


def test_a_run_trains_the_backbones_blocks_and_the_model_answers_with_them(
    drawn_data: Path, random_backbone: Path, tmp_path: Path
) -> None:
    def run(name: str, *more: str) -> Path:
        folder = tmp_path / name
        options = (*ADAPTED, "--model.context=0", *more)
        train_from_config(
            tiny_run("research_views.yaml", drawn_data, folder, random_backbone, *options)
        )
        return folder

    first = run("first", "--trainer.precision=32-true", "--data.precision=float32")
    grounder = load_grounder(first, "eager", backbone_weights=random_backbone)
    backbone = grounder._runtime.network.backbone  # type: ignore[attr-defined]
    plain = load_dinov2("dinov2_vits14", random_backbone)
    for place in (6, 7, 11):
        assert torch.equal(weight(backbone, place), weight(plain, place)) == (place < 7)
    image = read_rgb(next((drawn_data / "testset" / "egocentric" / "hold" / "mug").iterdir()))
    assert grounder.ground(image, "hold").heatmap.max() > 0.0

    begin = ("--trainer.max_epochs=1", f"--model.initial={first}", "--model.learning_rate=1e-9")
    still = ("--model.adapter_rate=1e-9", "--model.rehearsal=1")
    second = load_grounder(run("second", *begin, *still), "eager", backbone_weights=random_backbone)
    kept = second._runtime.network.backbone  # type: ignore[attr-defined]
    torch.testing.assert_close(weight(kept, 11), weight(backbone, 11), atol=1e-6, rtol=0)
    with pytest.raises(CheckpointError, match="not the product of the means"):
        run("third", f"--model.average={{model: {first}}}")


def test_image_level_labels_are_refused(
    drawn_data: Path, random_backbone: Path, tmp_path: Path
) -> None:
    run = tiny_run(
        "weak.yaml", drawn_data, tmp_path / "a", random_backbone, "--model.adapter_rank=4"
    )
    with pytest.raises(TrainingError, match="cannot be trained with them"):
        train_from_config(run)


def test_an_average_with_a_model_without_adapters_has_a_share_of_the_change(
    drawn_data: Path, random_backbone: Path, tmp_path: Path
) -> None:
    def run(name: str, *more: str) -> dict[str, torch.Tensor]:
        arguments = ("research.yaml", drawn_data, tmp_path / name, random_backbone)
        exact = ("--trainer.precision=32-true", "--data.precision=float32")
        options = (*ADAPTED, "--model.context=0", "--trainer.max_epochs=1", *exact, *more)
        return dict(train_from_config(tiny_run(*arguments, *options)).last.tensors)

    plain = run("plain", "--model.adapter_rank=0")
    begin = f"--model.initial={tmp_path / 'plain'}"
    whole = run("whole", begin)
    part = run("part", begin, f"--model.average={{model: {tmp_path / 'plain'}, share: 0.25}}")
    layer = "adapters.blocks.1.qkv"
    change = part[f"{layer}.up"] @ part[f"{layer}.down"]
    assert change.abs().max() > 0
    expected = 0.75 * whole[f"{layer}.up"] @ whole[f"{layer}.down"]
    torch.testing.assert_close(change, expected)
    name = "patch_projection.weight"
    expected = torch.lerp(whole[name], plain[name], 0.25)
    torch.testing.assert_close(part[name], expected)
