"""Every topic, service and action of the grounder: one row each; README's table is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["subscribed", "published", "service", "action"]

_OWN = "affordance_grounding_ros"


@dataclass(frozen=True)
class Interface:
    """One row.

    Attributes:
        name: relative ("image"), private ("~/result") or absolute ("/diagnostics").
        kind: what the grounder does with it, or what it is.
        type: type in the form of `ros2 interface show`, for example "sensor_msgs/msg/Image".
        note: text for people, markdown.
        when: parameters under which it is there; empty for always.
    """

    name: str
    kind: Kind
    type: str
    note: str
    when: str = ""


INTERFACES = (
    Interface(
        "image",
        "subscribed",
        "sensor_msgs/msg/Image",
        "best effort, depth 1, while images are of use; a latched one is heard too; rgb, bgr, "
        "rgba, bgra, mono and bayer of 8 or 16 bits, 8UC1, 8UC3, 8UC4, 16UC1, 16UC3, 16UC4, 32FC1, "
        "uyvy, yuyv, yuv422, nv12, nv21, nv24",
        "`image_transport: raw`",
    ),
    Interface(
        "image/compressed",
        "subscribed",
        "sensor_msgs/msg/CompressedImage",
        "JPEG or PNG",
        "`image_transport: compressed`",
    ),
    Interface(
        "depth",
        "subscribed",
        "sensor_msgs/msg/Image",
        "16UC1, mono16: mm; 32FC1: m; registered to the image",
        "`depth_enabled`",
    ),
    Interface(
        "camera_info",
        "subscribed",
        "sensor_msgs/msg/CameraInfo",
        "calibration of image and depth",
        "`depth_enabled`",
    ),
    Interface(
        "~/action",
        "subscribed",
        "std_msgs/msg/String",
        'an action; several, "hold; pour", are grounded in turn, one an image; "" or "stop" stops',
    ),
    Interface(
        "~/goal",
        "subscribed",
        f"{_OWN}/msg/ActionGoal",
        "the same with object name, threshold and timeout",
    ),
    Interface(
        "~/result",
        "published",
        f"{_OWN}/msg/AffordanceResult",
        "found, score, regions (box, own mask, oriented box, centroid, area, score, pose), model, "
        "runtime, latency; heatmap and mask of the whole image with `result_images`",
    ),
    Interface(
        "~/heatmap",
        "published",
        "sensor_msgs/msg/Image",
        "32FC1, while somebody subscribes: heat in [0, 1], size and stamp of the image, never "
        "normalised by its own maximum",
    ),
    Interface(
        "~/mask",
        "published",
        "sensor_msgs/msg/Image",
        "mono8, while somebody subscribes: 0 or 255, the union of the regions",
    ),
    Interface("~/overlay", "published", "sensor_msgs/msg/Image", "rgb8, while somebody subscribes"),
    Interface(
        "~/detections",
        "published",
        "vision_msgs/msg/Detection2DArray",
        "the regions' boxes and scores, while somebody subscribes",
        "`vision_msgs` installed",
    ),
    Interface(
        "~/label_info",
        "published",
        "vision_msgs/msg/LabelInfo",
        "transient local: the actions and their numbers, which detections refer to",
        "`vision_msgs` installed",
    ),
    Interface(
        "~/grasps",
        "published",
        "geometry_msgs/msg/PoseArray",
        "a pose for each region that has one, best first",
        "`depth_enabled`",
    ),
    Interface(
        "~/scored_grasps",
        "published",
        f"{_OWN}/msg/ScoredGrasps",
        "the same with scores and widths",
        "`depth_enabled`",
    ),
    Interface(
        "~/best_grasp",
        "published",
        "geometry_msgs/msg/PoseStamped",
        "the first of them, where there is one",
        "`depth_enabled`",
    ),
    Interface(
        "~/grasp_candidates",
        "subscribed",
        "geometry_msgs/msg/PoseArray",
        "grasps of any planner, in the camera's frame or that of the poses",
        "`depth_enabled`",
    ),
    Interface(
        "~/chosen_grasps",
        "published",
        f"{_OWN}/msg/ScoredGrasps",
        "of each message of candidates those whose contact lies in a region, the hottest first",
        "`depth_enabled`",
    ),
    Interface(
        "~/region_cloud",
        "published",
        "sensor_msgs/msg/PointCloud2",
        "points of the regions with colour and heat, while somebody subscribes",
        "`depth_enabled`",
    ),
    Interface(
        "~/markers",
        "published",
        "visualization_msgs/msg/MarkerArray",
        "grasps for RViz, while somebody subscribes",
        "`depth_enabled`",
    ),
    Interface(
        "~/status",
        "published",
        f"{_OWN}/msg/GrounderStatus",
        "transient local: state, level, model, vocabulary, goal and how it was understood, counts "
        "and durations of images, depth, problem, warning, last error",
    ),
    Interface(
        "/diagnostics",
        "published",
        "diagnostic_msgs/msg/DiagnosticArray",
        "once a second, for monitors: the same and rates, gate, engine",
    ),
    Interface(
        "~/ground",
        "service",
        f"{_OWN}/srv/GroundImage",
        "one image (or the camera's newest) and one action in, one result out; with or without a "
        "goal, beside the stream",
    ),
    Interface(
        "~/ground_action",
        "action",
        f"{_OWN}/action/Ground",
        "results for a goal until there are enough or time is over; feedback is each result, the "
        "result the best",
    ),
    Interface(
        "~/check_goal",
        "service",
        f"{_OWN}/srv/CheckGoal",
        "how a goal would be understood, or why it would be rejected and the closest names",
    ),
    Interface(
        "~/teach",
        "service",
        f"{_OWN}/srv/Teach",
        "teaches, renames, forgets and lists actions",
    ),
)


def markdown_table() -> str:
    """The table for the README."""
    lines = ["| name | | type | |", "|---|---|---|---|"]
    for row in INTERFACES:
        note = f"with {row.when}: {row.note}" if row.when else row.note
        lines.append(f"| `{row.name}` | {row.kind} | `{row.type}` | {note} |".replace("||", "| |"))
    return "\n".join(lines) + "\n"
