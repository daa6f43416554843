"""`affordance-grounding benchmark`: speed, as ratios to the published path in one run."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from affordance_grounding_core.commands.common import (
    JsonOption,
    ModelOption,
    WeightsOption,
    write_json,
)
from affordance_grounding_core.commands.outputs import output_file, output_folder
from affordance_grounding_core.errors import RuntimeUnavailableError

if TYPE_CHECKING:
    from affordance_grounding_core.benchmark.machine import Machine, Rates
    from affordance_grounding_core.benchmark.report import Row


RuntimesOption = Annotated[
    str,
    typer.Option(
        help="'all' that are installed, or some, separated by commas: eager, openvino, onnx, "
        "openvino-int8, ..."
    ),
]
AgainstOption = Annotated[
    str, typer.Option(help="Row that the ratios refer to; 'published-eager' is the only one.")
]
TrainOption = Annotated[
    bool, typer.Option("--train", help="Time a training step at the published size instead.")
]
NodeOption = Annotated[
    bool,
    typer.Option(
        "--node",
        help="Time the ROS node instead, from message in to result out, without inference.",
    ),
]
RoundsOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Timed runs of each row; default: 20, or 3 with --train, or 200 images with --node.",
    ),
]
SizeOption = Annotated[int, typer.Option(min=14, help="Side of the network's input in px.")]
PlotOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Also draw the times as a picture.", callback=output_file),
]
StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="DIR",
        help="Folder to keep engines in, instead of the cache.",
        callback=output_folder,
    ),
]


def benchmark(
    model: ModelOption = "default",
    runtimes: RuntimesOption = "all",
    against: AgainstOption = "published-eager",
    train: TrainOption = False,
    node: NodeOption = False,
    rounds: RoundsOption = None,
    size: SizeOption = 224,
    json_file: JsonOption = None,
    plot: PlotOption = None,
    store: StoreOption = None,
    backbone_weights: WeightsOption = None,
) -> None:
    """Time a model by every runtime, in turns, against the plain published path.

    The published path encodes the text for every image, runs the backbones in full and keeps
    nothing from call to call. What its ratios are compared with is measured in the same run,
    so that a busy machine is unkind to all.
    """
    if against != "published-eager":
        raise typer.BadParameter(f"--against must be 'published-eager', got {against!r}")
    if plot:
        require_plotting()
    logging.basicConfig(format="%(message)s")
    from affordance_grounding_core.benchmark.machine import Rates
    from affordance_grounding_core.benchmark.report import BenchmarkReport
    from affordance_grounding_core.runtimes.eager import default_device

    if node:
        _refuse_beside_node(train=train, plot=plot, weights=backbone_weights, store=store)
    rates = Rates(default_device())
    rates.measure(repeats=10)
    details: Mapping[str, Any] = {}
    if node:
        from affordance_grounding_core.benchmark.node import measure_node

        figures = measure_node(model, "auto" if runtimes == "all" else runtimes, rounds or 200)
        rows, details = list(figures.rows), figures.details
    elif train:
        rows = _training(model, rates.machine(), rounds or 3)
    else:
        rows = _inference(model, runtimes, rates, rounds or 20, size, store, backbone_weights)
    report = BenchmarkReport(model, rates.machine(), tuple(rows), details)
    for line in report.table():
        typer.echo(line)
    write_json(json_file, report.as_dict())
    if plot:
        from affordance_grounding_core.benchmark.plot import draw_report

        draw_report(report, plot)


def require_plotting() -> None:
    """Check before measuring that the plot can be drawn.

    Raises:
        RuntimeUnavailableError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise RuntimeUnavailableError(
            "--plot needs matplotlib, which is not installed: "
            "`pip install 'affordance-grounding-core[plot]'`, or leave --plot out"
        )


def _refuse_beside_node(
    *, train: bool, plot: Path | None, weights: Path | None, store: Path | None
) -> None:
    given = {
        "--train": train,
        "--plot": plot,
        "--backbone-weights": weights,
        "--store": store,
    }
    if named := [name for name, value in given.items() if value]:
        raise typer.BadParameter(
            f"--node runs the node as it is and takes no {', '.join(named)}; its model and runtime "
            "are --model and --runtimes"
        )


def _inference(
    model: str,
    runtimes: str,
    rates: Rates,
    rounds: int,
    size: int,
    store: Path | None,
    weights: Path | None,
) -> list[Row]:
    from affordance_grounding_core.benchmark.inference import (
        all_candidates,
        measure_inference,
    )
    from affordance_grounding_core.loading import load_grounder
    from affordance_grounding_core.runtimes.base import Candidate
    from affordance_grounding_core.runtimes.building.ladder import make_ladder
    from affordance_grounding_core.runtimes.request import RuntimeRequest, parse_runtime

    candidates: list[Candidate] = []
    if runtimes == "all":
        candidates = all_candidates()
    else:
        for text in runtimes.split(","):
            runtime, precision = parse_runtime(text.strip())
            if (runtime, precision) != ("eager", "auto"):
                ladder = make_ladder(RuntimeRequest(runtime, precision, fall_back=False))
                candidates += ladder.candidates
    grounder = load_grounder(model, "eager", backbone_weights=weights)
    try:
        return measure_inference(
            grounder,
            candidates,
            rates,
            size=size,
            rounds=rounds,
            store=store,
            show_progress=True,
        )
    finally:
        grounder.close()


def _training(model: str, machine: Machine, rounds: int) -> list[Row]:
    if model == "plsp-random":
        from affordance_grounding_core.benchmark.training_plsp import (
            PlspTrainingBenchmark,
            random_plsp_batch,
        )

        plsp = PlspTrainingBenchmark(random_plsp_batch())
        return plsp.run(rounds, machine, show_progress=True)
    if model != "selective-cl-random":
        raise typer.BadParameter(
            "--train times a step at the published size: use --model selective-cl-random or "
            f"plsp-random, got {model!r}"
        )
    from affordance_grounding_core.benchmark.training_selective_cl import (
        SelectiveTrainingBenchmark,
        random_batch,
    )

    return SelectiveTrainingBenchmark(random_batch()).run(rounds, machine, show_progress=True)
