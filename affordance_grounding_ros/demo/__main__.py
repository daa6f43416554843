"""The whole way, once: photographs played as a camera, actions commanded, answers collected.

Image player and grounder run as processes of their own; everything between them and this
program goes over ROS topics.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from affordance_grounding_core.errors import AffordanceGroundingError
from affordance_grounding_core.images import RgbImage, read_rgb, write_png
from affordance_grounding_ros.client.node_process import NodeProcess
from affordance_grounding_ros.demo import orientations, stereo
from affordance_grounding_ros.demo.client import Answer, DemoClient, nanoseconds
from affordance_grounding_ros.demo.recording import Recording
from affordance_grounding_ros.images.conversions import image_to_array

PACKAGE = "affordance_grounding_ros"

BAG = "demo_bag"
"""Folder of the bag in the output folder, and stem of its file."""

PHOTOGRAPHS = {
    "coffee.png": ("hold", "drink_with", "pour", "cut_with"),
    "motorcycle_left.png": ("hold", "turn", "drink_with"),
}
"""Photographs of scikit-image (CC0), and what is asked about each; some is not afforded."""

DEFAULT_ACTIONS = ("hold", "drink_with", "cut_with")
"""Actions asked about photographs given on the command line."""


@dataclass(frozen=True)
class Question:
    """Actions that the demo asks about one photograph.

    Attributes:
        photograph: file.
        actions: commanded one after the other.
        disparity: measured for the photograph, from which depth is made; None where there is
            none.
    """

    photograph: Path
    actions: tuple[str, ...]
    disparity: Path | None = None


def questions(images: list[Path], actions: list[str]) -> list[Question]:
    """Decide what is asked.

    Args:
        images: photographs; those of scikit-image where there are none.
        actions: commands for each of them; sensible ones where there are none.

    Raises:
        AffordanceGroundingError: a photograph that cannot be read, or two of one name.
    """
    if images:
        asked = [Question(image, tuple(actions) or DEFAULT_ACTIONS) for image in images]
    else:
        folder = _scikit_image_folder()
        asked = [
            Question(
                folder / name,
                tuple(actions) or sensible,
                folder / stereo.DISPARITY if name == stereo.IMAGE else None,
            )
            for name, sensible in PHOTOGRAPHS.items()
        ]
    stems: set[str] = set()
    for photograph in (question.photograph for question in asked):
        read_rgb(photograph)
        if photograph.stem in stems:
            raise AffordanceGroundingError(
                f"two photographs are called {photograph.stem!r}; the pictures are named after "
                "them: rename one, or run the demo twice with different --output"
            )
        stems.add(photograph.stem)
    return asked


def _scikit_image_folder() -> Path:
    try:
        from skimage import data
    except ImportError as error:
        raise AffordanceGroundingError(
            "the demo's photographs come with scikit-image, which is not installed; install it "
            "(`pip install scikit-image`), or give your own with --images"
        ) from error
    return Path(data.__file__).parent


def record(photograph: Path, answer: Answer, overlay: Path) -> dict[str, Any]:
    """Turn an answer into an entry of the summary.

    Args:
        photograph: it is about.
        answer: answer from the topics.
        overlay: file the picture was written to.
    """
    result = answer.result
    stamp = result.header.stamp.sec + result.header.stamp.nanosec * 1e-9
    latency = float(result.latency_seconds)
    return {
        "image": photograph.name,
        "goal": result.goal,
        "action": result.action,
        "found": bool(result.found),
        "score": round(float(result.score), 4),
        "threshold": round(float(result.threshold), 4),
        "regions": [
            {
                "box": {
                    "x": region.box.x_offset,
                    "y": region.box.y_offset,
                    "width": region.box.width,
                    "height": region.box.height,
                },
                "oriented_box": {
                    "center": [region.oriented_box_center_x, region.oriented_box_center_y],
                    "length": region.oriented_box_length,
                    "width": region.oriented_box_width,
                    "angle": region.oriented_box_angle,
                },
                "centroid": [region.centroid_x, region.centroid_y],
                "area": region.area,
                "score": region.score,
                "pose": pose(region),
            }
            for region in result.regions
        ],
        "pose_frame": result.pose_frame_id,
        "pose_problem": result.pose_problem,
        "stamps": {
            "commanded": answer.commanded,
            "image": stamp,
            "received": answer.received,
        },
        "latency": None if math.isnan(latency) else latency,
        "inference_seconds": float(result.inference_seconds),
        "model": result.model,
        "runtime": result.runtime,
        "overlay": overlay.name,
    }


def pose(region: Any) -> dict[str, list[float]] | None:
    """Turn a region's pose into an entry of the summary.

    Args:
        region: AffordanceRegion message.

    Returns:
        Position in metres and orientation as x, y, z, w; None where the region has no pose.
    """
    if not region.has_pose:
        return None
    position, turned = region.pose.position, region.pose.orientation
    return {
        "position": [position.x, position.y, position.z],
        "orientation": [turned.x, turned.y, turned.z, turned.w],
    }


def table(results: list[dict[str, Any]]) -> str:
    """Lay results out for people.

    Args:
        results: entries of the summary.
    """
    rows = [("image", "action", "found", "score", "regions", "best grasp", "latency")]
    for entry in results:
        latency = "-" if entry["latency"] is None else f"{1000 * entry['latency']:.0f} ms"
        found = "yes" if entry["found"] else "not found"
        score, count = f"{entry['score']:.2f}", str(len(entry["regions"]))
        grasp = _grasp(entry["regions"])
        rows.append((entry["image"], entry["action"], found, score, count, grasp, latency))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _grasp(regions: list[dict[str, Any]]) -> str:
    for region in regions:
        if region["pose"]:
            x, y, z = region["pose"]["position"]
            return f"x {x:+.2f} y {y:+.2f} z {z:.2f} m"
    return "-"


def run(
    asked: list[Question], model: str, output: Path, timeout: float, turned: Path | None = None
) -> dict[str, Any]:
    """Start the nodes, ask, and write pictures and summary.

    Args:
        asked: photographs and actions.
        model: name or checkpoint folder, for the grounder.
        output: folder for pictures, logs, the bag and summary.json.
        timeout: seconds the grounder has to load, and each answer to come.
        turned: photograph of the cup, to ask about in eight orientations; None to leave it.

    Returns:
        The summary as written.

    Raises:
        AffordanceGroundingError: an answer that did not come in time, a node that ended early
            or not cleanly, or a file that cannot be written.
    """
    results = []
    depth = any(question.disparity for question in asked)
    arguments = ["--ros-args", "-p", f"model:={json.dumps(model)}"]
    arguments += ["-p", f"depth_enabled:={json.dumps(depth)}"]
    with (
        NodeProcess(f"{PACKAGE}.grounder_node", arguments, output / "grounder.log") as grounder,
        DemoClient(grounder.check) as client,
        Recording(output / BAG) as recording,
    ):
        status = client.wait_until_active(timeout)
        print(f"grounder is active: model {status.model} on {status.runtime}", flush=True)
        for question in asked:
            results += _ask_about(question, client, recording, output, timeout)
        counts = client.frame_counts(timeout)
    summary = {"results": results, "frames": counts}
    if turned is not None:
        summary["orientations"] = _ask_in_all_orientations(turned, model, output, timeout)
    text = json.dumps(summary, indent=2, allow_nan=False) + "\n"
    (output / "summary.json").write_text(text, encoding="utf-8")
    return summary


def _player_arguments(question: Question, output: Path) -> list[str]:
    files = {"path": question.photograph.resolve()}
    if question.disparity:
        depth, calibration = stereo.write_camera_files(question.disparity, output)
        files |= {"depth": depth.resolve(), "calibration": calibration.resolve()}
    arguments = ["--ros-args", "-p", "rate:=5.0"]
    for name, file in files.items():
        arguments += ["-p", f"{name}:={json.dumps(str(file), ensure_ascii=False)}"]
    return arguments


def _ask_about(
    question: Question, client: DemoClient, recording: Recording, output: Path, timeout: float
) -> list[dict[str, Any]]:
    results = []
    with closing(_answers(question, client, output, timeout)) as answers:
        for answer in answers:
            recording.add(answer.messages, nanoseconds(answer.result.header.stamp))
            overlay = _write_overlay(question.photograph, answer, output)
            results.append(record(question.photograph, answer, overlay))
    return results


def _answers(
    question: Question, client: DemoClient, output: Path, timeout: float
) -> Generator[Answer]:
    """Play a photograph, command its actions and yield each answer; to be closed."""
    arguments = _player_arguments(question, output)
    client.expect_depth(question.disparity is not None)
    log = output / f"image_player_{question.photograph.stem}.log"
    with NodeProcess(f"{PACKAGE}.player.image_player", arguments, log) as player:
        for action in question.actions:
            player.check()
            yield client.ask(action, timeout)


def _write_overlay(photograph: Path, answer: Answer, output: Path) -> Path:
    overlay = output / f"{photograph.stem}_{answer.result.action}.png"
    _write_picture(overlay, answer.overlay)
    return overlay


def _write_picture(file: Path, picture: RgbImage) -> None:
    try:
        write_png(file, picture)
    except OSError as error:
        raise AffordanceGroundingError(
            f"cannot write {file} ({error}); is there disk space?"
        ) from error


def _ask_in_all_orientations(
    photograph: Path, model: str, output: Path, timeout: float
) -> list[dict[str, Any]]:
    """Ask a grounder that looks at all turns, and say where its heat is highest."""
    arguments = ["--ros-args", "-p", f"model:={json.dumps(model)}", "-p", 'looks:="turns"']
    results = []
    cup = read_rgb(photograph)
    with (
        NodeProcess(f"{PACKAGE}.grounder_node", arguments, output / "grounder_turns.log") as node,
        DemoClient(node.check) as client,
    ):
        client.wait_until_active(timeout)
        for orientation in orientations.ORIENTATIONS:
            seen = output / f"cup_{re.sub('[^a-z0-9]+', '_', orientation.name).strip('_')}.png"
            _write_picture(seen, np.ascontiguousarray(orientation.apply(cup)))
            question = Question(seen, (orientations.ACTION,))
            with closing(_answers(question, client, output, timeout)) as answers:
                answer = next(answers)
            heat = image_to_array(answer.messages["grounder/heatmap"])
            results.append(
                {
                    "orientation": orientation.name,
                    "on_handle": orientations.is_on_handle(heat, orientation),
                    **record(seen, answer, _write_overlay(seen, answer, output)),
                }
            )
    return results


def main(
    images: Annotated[
        list[Path] | None,
        typer.Option("--images", help="A photograph; repeat the option for more."),
    ] = None,
    action: Annotated[
        list[str] | None,
        typer.Option("--action", help="A command for every photograph; repeat for more."),
    ] = None,
    model: Annotated[str, typer.Option(help="Name of a model, or checkpoint folder.")] = "default",
    output: Annotated[Path, typer.Option(help="Folder for what it writes.")] = Path("demo_output"),
    timeout: Annotated[
        float, typer.Option(help="Seconds to load the model, and for each answer.", min=1.0)
    ] = 120.0,
) -> None:
    """Ground actions in photographs over ROS topics; write overlays, a bag and summary.json."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    try:
        asked = questions(images or [], action or [])
        _make_folder(output)
        print(
            f"starting the grounder (ROS_DOMAIN_ID={os.environ['ROS_DOMAIN_ID']}) ...", flush=True
        )
        cup = None if images or action else asked[0].photograph.parent / orientations.IMAGE
        summary = run(asked, model, output, timeout, cup)
    except AffordanceGroundingError as error:
        print(f"demo failed: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    frames = summary["frames"]
    print(table(summary["results"]))
    print(
        f"frames: {frames['received']} received, {frames['processed']} processed, "
        f"{frames['dropped']} dropped for newer ones"
    )
    if turned := summary.get("orientations"):
        right = sum(entry["on_handle"] for entry in turned)
        found = sum(entry["found"] for entry in turned)
        print(
            f"the cup in {len(turned)} orientations, looks: turns: '{orientations.ACTION}' is "
            f"hottest on the handle in {right}, found in {found}"
        )
    print(f"pictures and summary.json are in {output}/")
    print(f"for Foxglove or ros2 bag: {output / BAG / BAG}.mcap")


def _make_folder(output: Path) -> None:
    """Make the output folder; the summary of an earlier demo must not pass for this one's."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        (output / "summary.json").unlink(missing_ok=True)
    except OSError as error:
        raise AffordanceGroundingError(f"cannot make folder {output}: {error}") from error


if __name__ == "__main__":
    typer.run(main)
