"""Plays photographs or a video as a camera and grounds an action in them.

ros2 launch affordance_grounding_ros demo.launch.py path:=photographs/ action:=hold rviz:=true

With depth: path:=PHOTOGRAPH depth:=true depth_file:=DEPTH.png calibration:=CAMERA.yaml
"""

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

PACKAGE = "affordance_grounding_ros"

ARGUMENTS = (
    DeclareLaunchArgument(
        "path", description="Photograph, folder of photographs or video to play; required."
    ),
    DeclareLaunchArgument("rate", default_value="5.0", description="Images per second."),
    DeclareLaunchArgument(
        "action", default_value="hold", description="Action to ground from the start."
    ),
    DeclareLaunchArgument(
        "image_topic", default_value="image", description="Topic the images are played on."
    ),
    DeclareLaunchArgument(
        "depth_file",
        default_value="",
        description="Depth of the photograph to play, 16 bits in millimetres; needs depth:=true.",
    ),
    DeclareLaunchArgument(
        "calibration",
        default_value="",
        description="Calibration of the camera, a YAML file of camera_calibration.",
    ),
    DeclareLaunchArgument("namespace", default_value="", description="Namespace of the nodes."),
    DeclareLaunchArgument(
        "log_level",
        default_value="info",
        choices=["debug", "info", "warn", "error", "fatal"],
        description="Least severity that is logged.",
    ),
)


def generate_launch_description() -> LaunchDescription:
    """Describe what is started."""
    player = Node(
        package=PACKAGE,
        executable="image_player",
        name="image_player",
        namespace=LaunchConfiguration("namespace"),
        output="screen",
        parameters=[
            {
                "path": ParameterValue(LaunchConfiguration("path"), value_type=str),
                "depth": ParameterValue(LaunchConfiguration("depth_file"), value_type=str),
                "calibration": ParameterValue(LaunchConfiguration("calibration"), value_type=str),
                "rate": ParameterValue(LaunchConfiguration("rate"), value_type=float),
            }
        ],
        remappings=[("image", LaunchConfiguration("image_topic"))],
        arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
    )
    # The arguments above reach the included file too; model, depth, rviz, foxglove, params_file and
    # others are declared there.
    grounder = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(
            PathJoinSubstitution([FindPackageShare(PACKAGE), "launch", "grounder.launch.py"])
        )
    )
    return LaunchDescription([*ARGUMENTS, player, grounder])
