"""A stored engine answers for the very network it was built from, and for no other."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
import torch

import affordance_grounding_core
from affordance_grounding_core.actions.vocabulary import ActionVocabulary
from affordance_grounding_core.backbones.dino import Dino
from affordance_grounding_core.backbones.transformer_backbone import TransformerSizes
from affordance_grounding_core.checkpoints.format import read_checkpoint, write_checkpoint
from affordance_grounding_core.inference.grounder import Grounder, ModelInformation
from affordance_grounding_core.inference.heat_calibration import HeatCalibration
from affordance_grounding_core.inference.preprocess import Preprocess, PreprocessConfig
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.loading import choose_runtime
from affordance_grounding_core.methods.selective_cl.affinity_sources import SaliencyAffinity
from affordance_grounding_core.methods.selective_cl.config import SelectiveHeadConfig
from affordance_grounding_core.methods.selective_cl.frozen_backbones import FrozenBackbones
from affordance_grounding_core.methods.selective_cl.network import (
    MapConfig,
    ProvidedAffinity,
    SelectiveHead,
    SelectiveNetwork,
)
from affordance_grounding_core.runtimes.eager import EagerRuntime
from affordance_grounding_core.runtimes.engines.identity import (
    code_fingerprint,
    graph_fingerprint,
    network_identity,
    source_files,
)
from affordance_grounding_core.runtimes.graph import GraphInput
from affordance_grounding_core.runtimes.request import RuntimeRequest
from tests.core.runtimes.small_networks import BUILDERS, sides, small_network
from tests.core.runtimes.test_runtimes import RUNTIMES

ACTIONS = ("hold", "drink_with", "hit")
SHAPE = GraphInput(64, 80, 3, 3)
PACKAGE = Path(affordance_grounding_core.__file__).parent


def network_with(
    heat: HeatCalibration | None = None, maps: MapConfig | None = None
) -> SelectiveNetwork:
    """A network of the same weights at every call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbones = FrozenBackbones(Dino(sizes=TransformerSizes(64, 16, 24, 2, 6)), None)
        head = SelectiveHead(SelectiveHeadConfig(3, 24, hidden=32))
    affinity = ProvidedAffinity(SaliencyAffinity(), needs_attention=False)
    return SelectiveNetwork(
        backbones, head, affinity, maps or MapConfig(), heat or HeatCalibration()
    )


def grounder_of(network: SelectiveNetwork, runtime: str, precision: str, store: Path) -> Grounder:
    grounder = Grounder(
        EagerRuntime(network, "cpu"),
        Preprocess(PreprocessConfig("squash", 64, 16)),
        ActionVocabulary(ACTIONS, {}),
        RegionConfig(),
        ModelInformation("small", "selective_cl", "0" * 64),
    )
    request = RuntimeRequest(runtime, precision, store=store, fall_back=False)
    grounder.use_runtime(lambda eager: choose_runtime(grounder, eager, request))
    return grounder


@pytest.mark.parametrize(("runtime", "precision"), RUNTIMES)
def test_an_engine_of_another_calibration_never_answers(
    runtime: str, precision: str, tmp_path: Path
) -> None:
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    for heat in (HeatCalibration(1.0, 0.0), HeatCalibration(20.0, -4.0)):
        network = network_with(heat)
        expected = Grounder(
            EagerRuntime(network, "cpu"),
            Preprocess(PreprocessConfig("squash", 64, 16)),
            ActionVocabulary(ACTIONS, {}),
            RegionConfig(),
            ModelInformation("small", "selective_cl", "0" * 64),
        ).heatmaps(image, ACTIONS)
        grounder = grounder_of(network, runtime, precision, tmp_path / "engines")
        grounder.warm_up(64, 64)
        found = grounder.heatmaps(image, ACTIONS)
        assert np.abs(found - expected).max() < 0.1, f"answers of another engine, heat {heat}"
        report = grounder.runtime_report
        assert report is not None
        assert not report.degraded


CHANGED: dict[str, Callable[[], SelectiveNetwork]] = {
    "scale of the heat": lambda: network_with(HeatCalibration(1.5, 0.0)),
    "offset of the heat": lambda: network_with(HeatCalibration(1.0, 0.25)),
    "calibration of the maps": lambda: network_with(maps=MapConfig("off")),
    "kind of calibration": lambda: network_with(maps=MapConfig("binarised")),
}


@pytest.mark.parametrize("what", CHANGED)
def test_what_shapes_an_answer_is_in_the_identity(what: str) -> None:
    plain, changed = (
        network_identity(network_with(), SHAPE),
        network_identity(CHANGED[what](), SHAPE),
    )
    assert plain == network_identity(network_with(), SHAPE)
    assert plain.digest != changed.digest


def test_a_threshold_of_the_affinity_is_in_the_identity() -> None:
    one = network_identity(network_with(maps=MapConfig("binarised", 0.6)), SHAPE)
    other = network_identity(network_with(maps=MapConfig("binarised", 0.61)), SHAPE)
    assert one.settings != other.settings
    assert one.graph_sha256 != other.graph_sha256


@pytest.mark.parametrize("name", BUILDERS)
def test_a_number_that_no_setting_names_is_in_the_graph(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = small_network(name)
    shape = GraphInput(*sides(name), 3, 3)
    before = graph_fingerprint(network, shape)
    assert graph_fingerprint(network, shape) == before, "the same graph, the same fingerprint"
    forward = type(network).forward
    monkeypatch.setattr(
        type(network), "forward", lambda self, pixels, actions: forward(self, pixels, actions) * 0.9
    )
    assert graph_fingerprint(network, shape) != before


@pytest.mark.parametrize("name", BUILDERS)
def test_the_code_of_the_graph_is_all_in_the_identity(name: str) -> None:
    """Whatever line of the package runs when the network runs is in a file that counts."""
    network = small_network(name)
    pixels = torch.zeros(1, 3, *sides(name))
    ran: set[Path] = set()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if PACKAGE in path.parents:
            ran.add(path)

    sys.setprofile(note)
    try:
        with torch.no_grad():
            network(pixels, torch.arange(3))
    finally:
        sys.setprofile(None)
    files = source_files(network)
    assert len(ran) >= 3
    assert ran <= files
    if not name.startswith("action_head"):  # whose heat has no calibration
        assert Path(inspect.getfile(HeatCalibration)) in files


def test_a_changed_line_changes_the_fingerprint_of_the_code(tmp_path: Path) -> None:
    files = source_files(network_with())
    copies = {tmp_path / path.relative_to(PACKAGE) for path in files}
    for path in files:
        copy = tmp_path / path.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    before = code_fingerprint(copies)
    assert before == code_fingerprint(files)
    for copy in copies:
        content = copy.read_bytes()
        copy.write_bytes(content + b"\nCHANGED = True\n")
        assert code_fingerprint(copies) != before, copy
        copy.write_bytes(content)


def test_the_fingerprint_of_a_checkpoint_is_of_weights_and_config(tmp_path: Path) -> None:
    tensors = {"weight": torch.zeros(3)}
    config = {"method": "selective_cl", "heat": {"scale": 1.0, "offset": 0.0}}
    first = write_checkpoint(tmp_path / "a", config, tensors)
    calibrated = {**config, "heat": {"scale": 20.0, "offset": -4.0}}
    second = write_checkpoint(tmp_path / "b", calibrated, tensors)
    third = write_checkpoint(tmp_path / "c", config, {"weight": torch.ones(3)})
    assert len({first.fingerprint, second.fingerprint, third.fingerprint}) == 3
    assert read_checkpoint(tmp_path / "b").fingerprint == second.fingerprint
