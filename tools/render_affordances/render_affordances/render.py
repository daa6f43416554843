"""Renders the benchmark; runs in Blender's Python, as README.md of the project says.

    render-affordances --seed 0 --out DATA --split both

What is done is not rendered again, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from render_affordances.dataset.layout import Layout
from render_affordances.dataset.plan import (
    SPLITS,
    ActJob,
    Job,
    Size,
    act_jobs,
    egocentric_jobs,
    splits_of,
)
from render_affordances.hands.asset import HandAssetError
from render_affordances.shapes.catalogue import actions_of_classes, build_object

RETRIES = 4
"""New draws of everything but the object, where no arrangement showed its parts well."""


SHARED = ("seed", "split")
"""Options that every picture of a folder must have been rendered with."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Render what is missing; returns the exit code."""
    options = _parse(arguments)
    layout = Layout(options.out)
    try:
        jobs = _jobs(options)
        layout.begin({name: getattr(options, name) for name in SHARED})
    except (OSError, ValueError) as problem:
        print(f"render: {problem}", file=sys.stderr)
        return 2
    waiting = [job for job in jobs if not layout.is_done(job.name)]
    print(f"{len(jobs)} pictures, {len(jobs) - len(waiting)} of them done", flush=True)
    if waiting:
        try:
            import bpy  # noqa: F401
        except ImportError:
            print("render: no module bpy; see tools/render_affordances/README.md", file=sys.stderr)
            return 2
    acts = None
    for job in tqdm(waiting, unit="picture", mininterval=5, smoothing=0.05):
        if isinstance(job, Job):
            render_egocentric(job, layout, options)
            continue
        if acts is None:
            from render_affordances.render_acts import ActRenderer

            try:
                acts = ActRenderer(layout, options)
            except HandAssetError as problem:
                print(f"render: {problem}", file=sys.stderr)
                return 2
        acts.render(job)
    counts = layout.write_manifest({name: getattr(options, name) for name in SHARED})
    print(f"{counts['pictures']} pictures, {counts['failed']} that could not be made")
    print(f"rejected arrangements: {counts['rejections']}")
    return 0


def render_egocentric(job: Job, layout: Layout, options: argparse.Namespace) -> None:
    """Render one egocentric picture and write its files."""
    from render_affordances.scenes.egocentric import NoArrangementError, take_egocentric

    model = build_object(job.object_name, job.instance_random(options.seed))
    rejections: Counter[str] = Counter()
    record: dict[str, Any] = {
        "kind": "egocentric",
        "subset": job.subset,
        "object": job.object_name,
        "family": model.family,
        "instance": job.instance,
        "view": job.view,
        "seed": options.seed,
        "resolution": options.resolution,
        "samples": options.samples,
    }
    for retry in range(RETRIES):
        random = job.view_random(options.seed, retry)
        try:
            shot = take_egocentric(model, random, options.resolution, options.samples)
        except NoArrangementError as problem:
            rejections += problem.rejections
            rejections["given up"] += 1
            record["failed"] = str(problem)
            continue
        record.pop("failed", None)
        rejections += shot.rejections
        record |= {"actions": sorted(shot.masks), "rejections": dict(rejections), **shot.details}
        folders = [f"{split}/{job.subset}set" for split in splits_of(job, options.split)]
        quality = int(random.integers(82, 97))
        layout.write_egocentric(job.name, folders, shot.picture, shot.masks, record, quality)
        return
    layout.write_record(job.name, record | {"rejections": dict(rejections)})


def _jobs(options: argparse.Namespace) -> list[Job | ActJob]:
    """Egocentric pictures, then those of hands at work."""
    jobs: list[Job | ActJob] = list(egocentric_jobs(options.split, _size(options), options.only))
    if options.exocentric:
        jobs += act_jobs(options.split, options.exocentric, actions_of_classes(), options.only)
    return jobs


def _size(options: argparse.Namespace) -> Size:
    return Size(options.instances, options.test_instances, options.views, options.exocentric)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="render-affordances", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder of the benchmark")
    add("--seed", type=int, default=0, help="of everything random (default 0)")
    add("--split", choices=SPLITS, default="both", help="held-out classes or not (default both)")
    add("--instances", type=int, default=20, help="training instances of a class (default 20)")
    add("--test-instances", type=int, default=4, help="test instances of a class (default 4)")
    add("--views", type=int, default=2, help="pictures of a training instance (default 2)")
    add("--exocentric", type=int, default=0, help="hands at work, per action and class (default 0)")
    add("--hand", type=Path, help="right.glb of the rigged hand (default: fetched, 94 MB, once)")
    add("--resolution", type=int, default=256, help="side of a picture in px (default 256)")
    add("--samples", type=int, default=8, help="light paths a pixel (default 8)")
    add("--only", nargs="*", default=[], metavar="OBJECT", help="classes to render (default all)")
    options = parser.parse_args(arguments)
    for name, least in (("resolution", 64), ("samples", 1)):
        if getattr(options, name) < least:
            parser.error(f"--{name} must be at least {least}, got {getattr(options, name)}")
    return options


def run() -> None:
    """Run the command and exit with its code."""
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nrender: interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    run()
