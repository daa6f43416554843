"""The rows of the benchmark table, and what each was trained from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["baseline", "zero_shot", "probe", "training", "model", "taught"]


@dataclass(frozen=True)
class Row:
    """One method of the table.

    Attributes:
        name: of its files, and on the command line.
        title: in the table.
        learns_from: what of the training set it has seen.
        kind: how it is run.
        config: file in config/train, of a training.
        options: more options of the training; "{root}" stands for the root of the data.
        seeded: whether another seed gives another outcome.
    """

    name: str
    title: str
    learns_from: str
    kind: Kind
    config: str = ""
    options: tuple[str, ...] = ()
    seeded: bool = False


ROWS = (
    Row("uniform", "uniform", "nothing", "baseline"),
    Row("centre_prior", "centre prior", "nothing", "baseline"),
    Row("mean_of_train", "mean of train, by action", "part masks", "baseline"),
    Row("zero_shot", "zero-shot: CLIP's patches and texts", "nothing", "zero_shot"),
    Row("probe_sharp", "linear probe by action, masks", "part masks", "probe"),
    Row("probe_blurred", "linear probe by action, blurred masks", "blurred part masks", "probe"),
    Row(
        "selective_cl",
        "SelectiveCL",
        "image labels, exocentric pictures",
        "training",
        "selective_cl_rendered.yaml",
        seeded=True,
    ),
    Row(
        "plsp",
        "WSAG-PLSP",
        "part masks, exocentric pictures",
        "training",
        "plsp_rendered.yaml",
        seeded=True,
    ),
    Row(
        "both",
        "both as one",
        "part masks, image labels, exocentric pictures",
        "training",
        "both_rendered.yaml",
        ("--data.part_labels={root}/trainset",),
        seeded=True,
    ),
    Row("default_anew", "action head", "part masks", "training", "default.yaml", seeded=True),
    Row("default", "the packaged model", "see its model card", "model"),
    Row("taught_1", "taught, 1 example an action", "1 part mask an action", "taught", seeded=True),
    Row("taught_3", "taught, 3 examples", "3 part masks an action", "taught", seeded=True),
    Row("taught_5", "taught, 5 examples", "5 part masks an action", "taught", seeded=True),
)
"""In the order of the table."""
