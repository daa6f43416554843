"""Starts the grounder, and RViz where asked for.

ros2 launch affordance_grounding_ros grounder.launch.py image_topic:=/camera/image_raw action:=hold
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
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
        "image_topic", default_value="image", description="Topic of the camera's images."
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
        description="Whether RViz shows image, overlay and mask.",
    ),
    DeclareLaunchArgument(
        "params_file",
        default_value=PathJoinSubstitution([CONFIG, "grounder.yaml"]),
        description="File with the parameters; the arguments above go first where given.",
    ),
    DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node."),
    DeclareLaunchArgument(
        "log_level",
        default_value="info",
        choices=["debug", "info", "warn", "error", "fatal"],
        description="Least severity that is logged.",
    ),
)


def _grounder(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The node; an argument that was not given must not hide the parameter file's value."""
    given = {
        name: value
        for name in ("model", "runtime", "action")
        if (value := LaunchConfiguration(name).perform(context))
    }
    # Text, also where it looks like a number or a truth value.
    texts = {name: ParameterValue(value, value_type=str) for name, value in given.items()}
    return [
        Node(
            package=PACKAGE,
            executable="grounder_node",
            name="grounder",
            namespace=LaunchConfiguration("namespace"),
            output="screen",
            parameters=[LaunchConfiguration("params_file"), texts],
            remappings=[("image", LaunchConfiguration("image_topic"))],
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Describe what is started."""
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),
        arguments=["--display-config", PathJoinSubstitution([CONFIG, "grounder.rviz"])],
        remappings=[
            ("/image", LaunchConfiguration("image_topic")),
            ("/grounder/overlay", "grounder/overlay"),
            ("/grounder/mask", "grounder/mask"),
        ],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=_grounder), rviz])
