"""The study of photographs: every setting is trained once, the table is of its scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from affordance_grounding_core import loading
from affordance_grounding_core.methods.action_head import training
from tools.studies import photographs as study
from tools.studies.__main__ import main as studies

SETTINGS, SIZES = study.SETTINGS, study.SIZES


@pytest.fixture
def calls(
    monkeypatch: pytest.MonkeyPatch, random_backbone: Path, tmp_path: Path
) -> list[list[str]]:
    """Trainings that were asked for; each is one of a moment, on small pictures."""
    seen: list[list[str]] = []
    train, load = training.train_from_config, loading.load_grounder

    def small(arguments: list[str]) -> object:
        seen.append(arguments)
        tiny = [
            f"--data.backbone_weights={random_backbone}",
            "--model.actions=[hold, drink_with, hit]",
            "--model.initial=null",
            "--data.preprocess.size=112",
            "--data.batch_size=4",
            "--trainer.max_epochs=1",
            "--trainer.limit_train_batches=1",
            "--trainer.check_val_every_n_epoch=1",
            "--trainer.enable_progress_bar=false",
        ]
        return train([*arguments, *tiny])

    monkeypatch.setattr(training, "train_from_config", small)
    monkeypatch.setattr(
        study,
        "load_grounder",
        lambda folder, runtime, input_size: load(
            folder, runtime, backbone_weights=random_backbone, input_size=input_size // 2
        ),
    )
    return seen


def test_every_setting_is_trained_and_scored_once(
    drawn_data: Path, tmp_path: Path, calls: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(drawn_data)
    arguments = ["--data", data, "--photographs", data, "--test", data, "--seeds", "3"]
    arguments += ["--output", str(tmp_path / "out")]
    assert studies(["photographs", *arguments]) == 0
    assert len(calls) == len(SETTINGS)
    with_photographs = [f"--data.photographs={data}" in call for call in calls]
    assert with_photographs == [setting.photographs for setting in SETTINGS.values()]
    assert all("--seed_everything=3" in call for call in calls)
    shown = capsys.readouterr().out
    for setting in SETTINGS.values():
        assert f"| {setting.title} | {SIZES[0]} | " in shown

    report = json.loads((tmp_path / "out" / "photographs.json").read_text())
    assert len(report["rows"]) == len(SETTINGS) * len(SIZES)
    own = json.loads((tmp_path / "out" / "sizes-3" / study.OUTCOME).read_text())
    row = next(r for r in report["rows"] if r["title"] == SETTINGS["sizes"].title)
    assert row["kld"] == {"mean": own[str(SIZES[0])]["kld"], "spread": 0.0}
    assert 0.0 <= row["mask_iou"]["mean"] <= 1.0

    assert studies(["photographs", *arguments]) == 0
    assert len(calls) == len(SETTINGS)
