"""`affordance-grounding export`: build and gate an engine ahead of time."""

from __future__ import annotations

import logging
import re
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from affordance_grounding_core.commands.common import (
    ImageTurnOption,
    InputSizeOption,
    JsonOption,
    ModelOption,
    WeightsOption,
    write_json,
)
from affordance_grounding_core.commands.outputs import output_folder
from affordance_grounding_core.inference.turn import parse_image_turn
from affordance_grounding_core.runtimes.export_folder import (
    ExportedModel,
    read_exported,
    write_exported,
)
from affordance_grounding_core.runtimes.request import RUNTIMES, RuntimeRequest, parse_runtime

if TYPE_CHECKING:
    from affordance_grounding_core.inference.grounder import Grounder
    from affordance_grounding_core.inference.runtime import HeatRuntime, RuntimeReport
    from affordance_grounding_core.runtimes.eager import EagerRuntime

_log = logging.getLogger(__name__)

DEGRADED = 1
"""Exit code where another runtime than the one asked for will answer."""

_TIMED_RUNS = 20


RuntimeNameOption = Annotated[
    str, typer.Option("--runtime", help=f"{', '.join(RUNTIMES[:-1])} or {RUNTIMES[-1]}.")
]
PrecisionOption = Annotated[
    str, typer.Option("--precision", help="auto, fp32, fp16, bf16 or int8.")
]
ImageSizeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--image-size",
        metavar="WxH",
        help="Size of the camera's images; may be given several times. Default: 640x480.",
    ),
]
CapabilityOption = Annotated[
    list[str] | None,
    typer.Option(
        "--capability",
        metavar="X.Y",
        help="Compute capability of a GPU to build for ahead, with --runtime tensorrt-rtx; "
        "may be given several times. Needs no GPU.",
    ),
]
FramesOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder of 8 or more pictures of the robot's surroundings, to calibrate and compare.",
    ),
]
BuildOnlyOption = Annotated[
    bool, typer.Option("--build-only", help="Do not time the engine afterwards.")
]
EngineFolderOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="Folder to keep engines in, instead of the cache; --model DIR then uses them.",
        callback=output_folder,
    ),
]


def export(
    model: ModelOption = "default",
    runtime: RuntimeNameOption = "auto",
    precision: PrecisionOption = "auto",
    image_size: ImageSizeOption = None,
    capability: CapabilityOption = None,
    frames: FramesOption = None,
    build_only: BuildOnlyOption = False,
    output: EngineFolderOption = None,
    input_size: InputSizeOption = None,
    image_turn: ImageTurnOption = "0",
    json_file: JsonOption = None,
    backbone_weights: WeightsOption = None,
) -> None:
    """Build the engine of a model for this machine, compare it with PyTorch, and keep it.

    The node and the other commands find it in the cache. The exit code is 1 where the engine that
    was asked for cannot be built or fails the comparison, so that another one will answer.
    """
    logging.basicConfig(format="%(message)s")
    logging.getLogger("affordance_grounding_core").setLevel(logging.INFO)
    sizes = [parse_size(text) for text in image_size or ["640x480"]]
    from affordance_grounding_core.loading import load_grounder

    name, wanted = parse_runtime(runtime, precision)
    request = RuntimeRequest(name, wanted, frames=frames, store=output)
    if capability:
        if name != "tensorrt-rtx":
            raise typer.BadParameter(
                f"--capability builds ahead with --runtime tensorrt-rtx, got {runtime!r}"
            )
        # Nothing runs here but PyTorch.
        grounder = load_grounder(
            model, "eager", backbone_weights=backbone_weights, input_size=input_size
        )
    else:
        grounder = load_grounder(
            model, backbone_weights=backbone_weights, request=request, input_size=input_size
        )
    grounder.image_turn = parse_image_turn(image_turn)
    try:
        if capability:
            entries = build_for(grounder, sizes, capability, request)
        else:
            entries = build_here(grounder, sizes, timed=not build_only)
        if output is not None:
            describe_folder(output, model, grounder, request)
    finally:
        grounder.close()
    write_json(json_file, {"model": model, "engines": entries})
    if any(entry["degraded"] for entry in entries):
        raise typer.Exit(DEGRADED)


def build_here(
    grounder: Grounder, sizes: Sequence[tuple[int, int]], *, timed: bool
) -> list[dict[str, Any]]:
    """Build and compare engines for this machine, and print the outcome of each.

    Args:
        grounder: with the runtime.
        sizes: width and height in px of images.
        timed: whether each is timed afterwards.
    """
    entries = []
    for width, height in sizes:
        entry = describe(build(grounder, height, width), height, width)
        if timed:
            entry["median_ms"] = median_milliseconds(grounder, height, width)
        typer.echo(as_text(entry))
        entries.append(entry)
    return entries


def build_for(
    grounder: Grounder,
    sizes: Sequence[tuple[int, int]],
    capabilities: Sequence[str],
    request: RuntimeRequest,
) -> list[dict[str, Any]]:
    """Build engines for GPUs of other machines, and print the outcome of each.

    Args:
        grounder: on plain PyTorch.
        sizes: width and height in px of images.
        capabilities: compute capabilities.
        request: precision, store and frames.
    """
    from affordance_grounding_core.runtimes.building.ahead import AheadPlan, build_ahead
    from affordance_grounding_core.runtimes.engines.store import store_directory
    from affordance_grounding_core.runtimes.tensorrt_rtx import parse_capability

    plan = AheadPlan(
        sizes=[(height, width) for width, height in sizes],
        capabilities=[parse_capability(text) for text in capabilities],
        precision=request.precision,
        store=request.store or store_directory(),
        frames=request.frames,
    )
    entries: list[dict[str, Any]] = []

    def build_all(eager: HeatRuntime) -> HeatRuntime:
        entries.extend(build_ahead(grounder, cast("EagerRuntime", eager), plan, _log.info))
        return eager

    grounder.use_runtime(build_all)
    for entry in entries:
        typer.echo(as_text(entry))
    return entries


def describe_folder(folder: Path, model: str, grounder: Grounder, request: RuntimeRequest) -> None:
    """Write the model beside its engines, so that the folder can be loaded by its path.

    Args:
        folder: engines were built into.
        model: it was asked for by: a name, a checkpoint folder, or such a folder of engines.
        grounder: of the model.
        request: engines were built for.

    Raises:
        OSError: the folder cannot be written.
    """
    from affordance_grounding_core.checkpoints.format import packaged_names

    before = read_exported(Path(model).expanduser())
    source = before.model if before else model
    is_folder = Path(source).expanduser().is_dir() and source not in packaged_names()
    write_exported(
        folder,
        ExportedModel(
            model=str(Path(source).expanduser().resolve()) if is_folder else source,
            fingerprint=grounder.information.fingerprint,
            runtime=request.runtime,
            precision=request.precision,
            frames=str(request.frames.resolve()) if request.frames else None,
        ),
    )


def parse_size(text: str) -> tuple[int, int]:
    """Read "640x480" as width and height.

    Raises:
        typer.BadParameter: not of this form.
    """
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text.strip().lower())
    if match is None:
        raise typer.BadParameter(f"image size must look like 640x480, got {text!r}")
    return int(match[1]), int(match[2])


def build(grounder: Grounder, height: int, width: int) -> RuntimeReport | None:
    """Build the engine for one image size; None where PyTorch itself was asked for."""
    grounder.warm_up(height, width)
    return grounder.runtime_report


def describe(report: RuntimeReport | None, height: int, width: int) -> dict[str, Any]:
    """Outcome for one image size as plain values."""
    known = report.as_dict() if report else {"description": "eager", "degraded": False}
    return {"image_width": width, "image_height": height, **known}


def as_text(entry: dict[str, Any]) -> str:
    """Outcome for one image size as lines for the console."""
    lines = [f"{entry['image_width']}x{entry['image_height']}: {entry['description']}"]
    lines += [f"  not used: {reason}" for reason in entry.get("rejected", ())]
    gate = entry.get("gate")
    if gate:
        lines.append(
            f"  against PyTorch in fp32 on {gate['frames']} frames: cosine {gate['cosine']:.5f}, "
            f"max |d| {gate['max_abs']:.2g}"
            + (
                f", mask IoU {gate['mask_iou']:.3f}, peak shift {gate['argmax_shift']:.1f} px"
                if gate["mask_iou"] is not None
                else ""
            )
        )
    if entry.get("folder"):
        size = f" ({entry['megabytes']} MB)" if "megabytes" in entry else ""
        lines.append(f"  engine: {entry['folder']}{size}")
    if "median_ms" in entry:
        lines.append(f"  one image, all told: {entry['median_ms']:.1f} ms (median)")
    return "\n".join(lines)


def median_milliseconds(grounder: Grounder, height: int, width: int) -> float:
    """Median time of one whole grounding, in ms."""
    times = []
    for _ in range(_TIMED_RUNS):
        started = time.perf_counter()
        grounder.warm_up(height, width)
        times.append((time.perf_counter() - started) * 1e3)
    return statistics.median(times)
