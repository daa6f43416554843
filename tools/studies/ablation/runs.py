"""The runs of an ablation, each done once; several processes may share the work."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.studies.ablation.settings import Setting

OUTCOME = "scores.json"
"""File, in the folder of a run, that is written when it is done."""


@dataclass(frozen=True)
class Run:
    """One setting with one seed.

    Attributes:
        setting: how it trains.
        seed: of everything random.
        folder: of its results.
    """

    setting: Setting
    seed: int
    folder: Path

    @property
    def scores(self) -> list[dict[str, float]] | None:
        """Scores of its epochs, epoch -1 before training; None while it is not done."""
        file = self.folder / OUTCOME
        if not file.is_file():
            return None
        scores: list[dict[str, float]] = json.loads(file.read_text(encoding="utf-8"))
        return scores


def plan_runs(output: Path, seeds: Sequence[int], settings: Sequence[Setting]) -> list[Run]:
    """List all runs, seed by seed, so that an interrupted ablation has whole rows."""
    return [
        Run(setting, seed, output / f"{setting.name}-{seed}")
        for seed in seeds
        for setting in settings
    ]


def do_run(run: Run, config: Path, root: Path, options: Sequence[str]) -> bool:
    """Train one setting with one seed, unless it is done or another process is at it.

    Args:
        run: to do.
        config: of the training; the setting and the seed replace what it says.
        root: of the data.
        options: more options of the training, for all runs alike.

    Returns:
        Whether this call did it.
    """
    if run.scores is not None:
        return False
    with _claim(run.folder) as claimed:
        if not claimed or run.scores is not None:
            return False
        # Lightning is slow to import and not needed to draw the table.
        from affordance_grounding_core.methods.selective_cl.training import train_from_config

        interrupted = (run.folder / "lightning" / "last.ckpt").is_file()
        outcome = train_from_config(
            [
                f"--config={config}",
                f"--data.root={root}",
                f"--output={run.folder}",
                f"--seed_everything={run.seed}",
                "--score_untrained=true",
                *run.setting.options(root),
                *(["--resume=last"] if interrupted else []),
                *options,
            ]
        )
        _write(run.folder / OUTCOME, [score.as_dict() for score in outcome.scores])
    return True


@contextmanager
def _claim(folder: Path) -> Iterator[bool]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "claim").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _write(path: Path, content: Any) -> None:
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)
