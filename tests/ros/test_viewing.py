"""What shows the results looks at topics that exist."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from affordance_grounding_ros.demo.client import DEPTH_TOPICS, TOPICS

CONFIG = Path(__file__).parents[2] / "config"
PUBLISHED = {f"/{topic}" for topic in TOPICS | DEPTH_TOPICS}


def displays() -> list[dict[str, Any]]:
    content = yaml.safe_load((CONFIG / "grounder.rviz").read_text())
    shown: list[dict[str, Any]] = content["Visualization Manager"]["Displays"]
    return shown


def test_rviz_shows_camera_overlay_mask_points_grasps_and_markers() -> None:
    shown = {display["Name"]: display for display in displays()}
    classes = {display["Class"].split("/")[1] for display in shown.values()}
    assert classes == {"Image", "PointCloud2", "PoseArray", "MarkerArray", "Camera"}
    topics = {display["Topic"]["Value"] for display in shown.values()}
    assert topics <= PUBLISHED
    assert topics >= {"/image", *(f"/grounder/{name}" for name in ("overlay", "mask", "markers"))}
    assert set(shown["Regions"]["Namespaces"]) == {"region", "approach", "label"}
    visible = set(shown["Camera"]["Visibility"]) - {"Value"}
    assert visible <= shown.keys(), "the camera draws displays by their names"


def layout() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((CONFIG / "foxglove_layout.json").read_text())
    return content


def panels_of(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
        return
    yield from panels_of(node["first"])
    yield from panels_of(node["second"])


def test_every_panel_of_foxglove_is_configured_and_shown_once() -> None:
    shown = list(panels_of(layout()["layout"]))
    assert len(shown) == len(set(shown))
    assert set(shown) == layout()["configById"].keys()


def test_foxglove_shows_topics_that_exist() -> None:
    named: set[str] = set()
    for panel in layout()["configById"].values():
        mode = panel.get("imageMode", {})
        named |= {mode[key] for key in ("imageTopic", "calibrationTopic") if key in mode}
        named |= panel.get("topics", {}).keys()
        if "topicPath" in panel:
            named.add(panel["topicPath"].split(".")[0])
    assert named <= PUBLISHED | {"/grounder/status"}
    assert named >= {"/image", "/grounder/overlay", "/grounder/region_cloud", "/grounder/markers"}
