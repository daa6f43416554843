"""What the node offers is what its table says, no less and no more."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

from ros_support import DEADLINE, Scene

from affordance_grounding_ros.grounder_node import GrounderNode
from affordance_grounding_ros.node.interfaces import INTERFACES, Kind

OF_EVERY_NODE = ("/parameter_events", "/rosout", "/clock", "/grounder/transition_event")
REPOSITORY = Path(__file__).parents[2]
PACKAGE = "affordance_grounding_ros"


OPTIONAL = () if find_spec("vision_msgs") else ("~/detections", "~/label_info")
"""Interfaces of packages that are not installed here."""


def listed(kind: Kind, *, without: tuple[str, ...] = OPTIONAL) -> dict[str, str]:
    return {
        f"/{row.name}".replace("/~/", "/grounder/").replace("//", "/"): row.type
        for row in INTERFACES
        if row.kind == kind and row.name not in without
    }


def found(names_and_types: list[tuple[str, list[str]]]) -> dict[str, str]:
    return {
        name: types[0]
        for name, types in names_and_types
        if name not in OF_EVERY_NODE and "/_action/" not in name
    }


def offered(node: GrounderNode) -> dict[str, str]:
    services = node.get_service_names_and_types_by_node("grounder", "/")
    return {
        name: kind
        for name, kind in found(services).items()
        if not kind.startswith(("rcl_interfaces/", "lifecycle_msgs/", "type_description"))
    }


def seen(node: GrounderNode) -> dict[str, dict[str, str]]:
    """What the graph knows of the node."""
    watched = ("grounder", "/")
    actions = {
        name.removesuffix("/_action/send_goal"): kind.removesuffix("_SendGoal")
        for name, (kind, *_) in node.get_service_names_and_types_by_node(*watched)
        if name.endswith("/_action/send_goal")
    }
    return {
        "published": found(node.get_publisher_names_and_types_by_node(*watched)),
        "subscribed": found(node.get_subscriber_names_and_types_by_node(*watched)),
        "service": offered(node),
        "action": actions,
    }


def test_the_table_lists_every_topic_service_and_action(scene: Scene) -> None:
    node = scene.start(action="hold", depth_enabled=True)
    expected = {
        "published": listed("published"),
        "subscribed": listed("subscribed", without=("image/compressed",)),
        "service": listed("service"),
        "action": listed("action"),
    }
    # What a node offers enters its own picture of the graph a little later, each by itself.
    deadline = time.monotonic() + DEADLINE
    while seen(node) != expected and time.monotonic() < deadline:
        scene.client.executor.spin_once(timeout_sec=0.05)
    assert seen(node) == expected


def test_every_interface_of_the_package_is_built_and_used() -> None:
    build = (REPOSITORY / "CMakeLists.txt").read_text()
    files = [
        path.relative_to(REPOSITORY).as_posix()
        for folder in ("msg", "srv", "action")
        for path in (REPOSITORY / folder).iterdir()
    ]
    assert files
    missing = [name for name in files if f'"{name}"' not in build]
    assert not missing, f"CMakeLists.txt does not build {missing}"
    own = [row.type.removeprefix(f"{PACKAGE}/") for row in INTERFACES if PACKAGE in row.type]
    assert {Path(name).suffix.lstrip(".") for name in files} == {"msg", "srv", "action"}
    for name in own:
        assert f"{name}.{name.partition('/')[0]}" in files, f"{name} has no file"


def test_the_enclave_policy_allows_every_interface_and_no_topic_besides() -> None:
    (profile,) = ElementTree.parse(REPOSITORY / "config" / "sros2_policy.xml").iter("profile")
    allowed = {
        kind: {str(one.text) for one in profile.findall(path)}
        for kind, path in (
            ("subscribed", "topics[@subscribe='ALLOW']/topic"),
            ("published", "topics[@publish='ALLOW']/topic"),
            ("service", "services[@reply='ALLOW']/service"),
            ("action", "actions[@execute='ALLOW']/action"),
        )
    }
    ours = {kind: {row.name for row in INTERFACES if row.kind == kind} for kind in allowed}
    assert allowed["subscribed"] - ours["subscribed"] == {
        "clock",
        "parameter_events",
        "tf",
        "tf_static",
    }
    assert allowed["published"] - ours["published"] == {
        "parameter_events",
        "rosout",
        "~/transition_event",
    }
    assert allowed["action"] == ours["action"]
    for kind, names in ours.items():
        assert names <= allowed[kind]
    assert not profile.findall(".//*[@request]"), "the grounder calls nobody"


def test_the_enclave_policy_lets_the_node_answer_all_it_offers(scene: Scene) -> None:
    node = scene.start()
    (profile,) = ElementTree.parse(REPOSITORY / "config" / "sros2_policy.xml").iter("profile")
    allowed = {str(one.text).replace("~/", "/grounder/") for one in profile.iter("service")}
    found = {
        name
        for name, _ in node.get_service_names_and_types_by_node("grounder", "/")
        if "/_action/" not in name
    }
    assert found <= allowed
