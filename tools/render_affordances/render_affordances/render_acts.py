"""Renders exocentric pictures of a plan and writes them. Runs in Blender."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

from render_affordances.dataset.layout import Layout
from render_affordances.dataset.plan import ActJob, splits_of
from render_affordances.hands.asset import load_hand_file
from render_affordances.hands.rig import read_hand
from render_affordances.meshes.model import ObjectModel
from render_affordances.scenes.exocentric import take_exocentric
from render_affordances.shapes.catalogue import build_object

RETRIES = 4
"""New objects and new draws of everything, where an action could not be shown."""

INSTANCES = 30
"""Objects drawn until one affords the action: not every family of a class does."""


class ActRenderer:
    """Renders hands at work.

    Args:
        layout: that is written to.
        options: of the command line.

    Raises:
        HandAssetError: the hand cannot be had.
    """

    def __init__(self, layout: Layout, options: argparse.Namespace) -> None:
        self._layout = layout
        self._options = options
        self._rig = read_hand(load_hand_file(options.hand))

    def render(self, job: ActJob) -> None:
        """Render one picture and write its files, or why it could not be made."""
        options = self._options
        rejections: Counter[str] = Counter()
        record: dict[str, Any] = {
            "kind": "exocentric",
            "subset": "train",
            "object": job.object_name,
            "actions": [job.action],
            "instance": job.number,
            "seed": options.seed,
        }
        for retry in range(RETRIES):
            model = self._build(job, retry)
            if model is None:
                record["failed"] = f"no {job.object_name} drawn affords {job.action}"
                break
            random = job.view_random(options.seed, retry)
            try:
                shot = take_exocentric(
                    model, job.action, self._rig, random, options.resolution, options.samples
                )
            except RuntimeError as problem:
                rejections["given up"] += 1
                record["failed"] = str(problem)
                continue
            record.pop("failed", None)
            rejections += shot.rejections
            record |= {"rejections": dict(rejections), **shot.details}
            folders = [f"{split}/trainset" for split in splits_of(job, options.split)]
            quality = int(random.integers(82, 97))
            self._layout.write_exocentric(
                job.name, folders, job.action, shot.picture, record, quality
            )
            return
        self._layout.write_record(job.name, record | {"rejections": dict(rejections)})

    def _build(self, job: ActJob, retry: int) -> ObjectModel | None:
        random = job.instance_random(self._options.seed, retry)
        for _ in range(INSTANCES):
            model = build_object(job.object_name, random)
            if job.action in model.affords:
                return model
        return None
