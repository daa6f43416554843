"""Starts the grounder, and RViz or Foxglove's bridge where asked for.

ros2 launch affordance_grounding_ros grounder.launch.py image_topic:=/camera/image_raw action:=hold
"""

import os

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

PACKAGE = "affordance_grounding_ros"
CONFIG = PathJoinSubstitution([FindPackageShare(PACKAGE), "config"])

ARGUMENTS = (
    DeclareLaunchArgument(
        "model",
        default_value="",
        description="Name of a model, or checkpoint folder; empty: as params_file says.",
    ),
    DeclareLaunchArgument(
        "action",
        default_value="",
        description="Action to ground from the start; empty: as params_file says.",
    ),
    DeclareLaunchArgument(
        "taught_file",
        default_value="",
        description="File of taught actions, 'auto' for the one that `affordance-grounding teach` "
        "writes; empty: as params_file says.",
    ),
    DeclareLaunchArgument(
        "image_topic", default_value="image", description="Topic of the camera's images."
    ),
    DeclareLaunchArgument(
        "image_transport",
        default_value="",
        choices=["", "raw", "compressed"],
        description="Whether the images come raw, or compressed on image_topic/compressed; empty: "
        "as params_file says.",
    ),
    DeclareLaunchArgument(
        "depth",
        default_value="",
        choices=["", "true", "false"],
        description="Whether regions get poses from depth; empty: as params_file says.",
    ),
    DeclareLaunchArgument(
        "depth_topic",
        default_value="depth",
        description="Topic of the depth that is registered to the images.",
    ),
    DeclareLaunchArgument(
        "camera_info_topic",
        default_value="camera_info",
        description="Topic of the camera's calibration.",
    ),
    DeclareLaunchArgument(
        "target_frame",
        default_value="",
        description="Frame of the poses, by TF; empty: as params_file says.",
    ),
    DeclareLaunchArgument(
        "runtime",
        default_value="",
        description="What runs the network, 'auto' for the fastest that works here; empty: as "
        "params_file says.",
    ),
    DeclareLaunchArgument(
        "rviz",
        default_value="false",
        choices=["true", "false"],
        description="Whether RViz shows image, overlay, mask and regions in space.",
    ),
    DeclareLaunchArgument(
        "fixed_frame",
        default_value="camera_optical_frame",
        description="Frame of RViz's view; frame_id of the images where there is no TF.",
    ),
    DeclareLaunchArgument(
        "foxglove",
        default_value="false",
        choices=["true", "false"],
        description="Whether Foxglove's bridge runs, for config/foxglove_layout.json.",
    ),
    DeclareLaunchArgument(
        "foxglove_port", default_value="8765", description="Port of Foxglove's bridge."
    ),
    DeclareLaunchArgument(
        "params_file",
        default_value=PathJoinSubstitution([CONFIG, "grounder.yaml"]),
        description="File with the parameters; the arguments above go first where given.",
    ),
    DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node."),
    DeclareLaunchArgument(
        "name", default_value="grounder", description="Name of the node, and of its topics."
    ),
    DeclareLaunchArgument(
        "respawn",
        default_value="false",
        choices=["true", "false"],
        description="Whether the node is started again when its process ends.",
    ),
    DeclareLaunchArgument(
        "respawn_delay", default_value="2.0", description="Seconds until it is started again."
    ),
    DeclareLaunchArgument(
        "log_level",
        default_value="info",
        choices=["debug", "info", "warn", "error", "fatal"],
        description="Least severity that is logged.",
    ),
)


def _seconds(name: str, context: LaunchContext) -> float:
    """The value of an argument; `float` would end in a trace that does not name it."""
    text = LaunchConfiguration(name).perform(context)
    try:
        return max(0.0, float(text))
    except ValueError:
        raise RuntimeError(f"launch argument '{name}' must be seconds, got '{text}'") from None


def _params_file(context: LaunchContext) -> str:
    """The parameter file; launch itself only warns where there is none, and the defaults hold."""
    path = LaunchConfiguration("params_file").perform(context)
    if not os.path.isfile(os.path.expanduser(path)):
        raise RuntimeError(
            f"launch argument 'params_file' names no file: '{path}'; check the path, or leave it "
            "out for the defaults"
        )
    return os.path.expanduser(path)


def _grounder(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The node; an argument that was not given must not hide the parameter file's value."""
    given = {
        name: value
        for name in ("model", "runtime", "action", "taught_file", "image_transport", "target_frame")
        if (value := LaunchConfiguration(name).perform(context))
    }
    # Text, also where it looks like a number or a truth value.
    values = {name: ParameterValue(value, value_type=str) for name, value in given.items()}
    if depth := LaunchConfiguration("depth").perform(context):
        values["depth_enabled"] = ParameterValue(depth == "true", value_type=bool)
    return [
        Node(
            package=PACKAGE,
            executable="grounder_node",
            name=LaunchConfiguration("name"),
            namespace=LaunchConfiguration("namespace"),
            output="screen",
            respawn=LaunchConfiguration("respawn").perform(context) == "true",
            respawn_delay=_seconds("respawn_delay", context),
            parameters=[_params_file(context), values],
            remappings=[
                ("image", LaunchConfiguration("image_topic")),
                ("depth", LaunchConfiguration("depth_topic")),
                ("camera_info", LaunchConfiguration("camera_info_topic")),
            ],
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        )
    ]


def _viewers(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """What shows the results; the grounder runs also where a viewer is not installed."""
    viewers = {"rviz": ("rviz2", _rviz), "foxglove": ("foxglove_bridge", _foxglove)}
    made: list[LaunchDescriptionEntity] = []
    for name, (package, make) in viewers.items():
        if LaunchConfiguration(name).perform(context) != "true":
            continue
        try:
            get_package_prefix(package)
        except PackageNotFoundError:
            fix = f"sudo apt install ros-$ROS_DISTRO-{package.replace('_', '-')}"
            made.append(
                LogInfo(msg=f"{name}:=true has no effect: {package} is not installed; `{fix}`")
            )
            continue
        made.append(make())
    return made


def _rviz() -> Node:
    name = LaunchConfiguration("name")
    outputs = ("overlay", "mask", "region_cloud", "grasps", "markers")
    return Node(
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),
        arguments=[
            "--display-config",
            PathJoinSubstitution([CONFIG, "grounder.rviz"]),
            "--fixed-frame",
            LaunchConfiguration("fixed_frame"),
        ],
        remappings=[
            ("/image", LaunchConfiguration("image_topic")),
            ("/camera_info", LaunchConfiguration("camera_info_topic")),
            *((f"/grounder/{output}", [name, f"/{output}"]) for output in outputs),
        ],
    )


def _foxglove() -> Node:
    return Node(
        package="foxglove_bridge",
        executable="foxglove_bridge",
        namespace=LaunchConfiguration("namespace"),
        output="screen",
        parameters=[{"port": ParameterValue(LaunchConfiguration("foxglove_port"), value_type=int)}],
    )


def generate_launch_description() -> LaunchDescription:
    """Describe what is started."""
    functions = [OpaqueFunction(function=function) for function in (_grounder, _viewers)]
    return LaunchDescription([*ARGUMENTS, *functions])
