"""The parameters of the grounder node and the settings they become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import get_args

from affordance_grounding_core.inference.looks import Looks
from affordance_grounding_core.inference.overlay import Colormap, OverlayConfig
from affordance_grounding_core.inference.regions import RegionConfig
from affordance_grounding_core.inference.turn import ImageTurn
from affordance_grounding_ros.common.parameters import ParameterSpecification, ParameterTable, Value
from affordance_grounding_ros.depth.upright import AUTO
from affordance_grounding_ros.node.goals import MAXIMUM_TIMEOUT

PARAMETERS = ParameterTable(
    (
        ParameterSpecification(
            "model",
            "default",
            "Name of a model, or folder of a checkpoint.",
            needs_reconfigure=True,
        ),
        ParameterSpecification(
            "runtime",
            "auto",
            'What runs the network; "auto" takes the fastest that works here.',
            needs_reconfigure=True,
        ),
        ParameterSpecification(
            "input_size",
            0,
            "Side in px of the square whose area the network sees, a multiple of the model's "
            "patch of 14 px; 0: the model's own. Larger is slower and finds smaller parts.",
            minimum=0,
            maximum=1064,
            needs_reconfigure=True,
        ),
        ParameterSpecification(
            "looks",
            "1",
            'Looks at an image; "2": the network sees it again, larger, which takes three times as '
            'long; "auto": where the first look is near the threshold; "turns": it sees all four '
            "quarter turns, which takes four times as long, where nobody knows how the camera is "
            "mounted.",
            one_of=get_args(Looks),
            needs_reconfigure=True,
        ),
        ParameterSpecification(
            "image_turn",
            "0",
            "Degrees counterclockwise that bring the images upright, where the camera is mounted "
            'sideways or upside down; "auto": as TF says. The network sees them upright, and '
            "all that is published lies in the images as they came.",
            one_of=(*map(str, get_args(ImageTurn)), AUTO),
            needs_reconfigure=True,
        ),
        ParameterSpecification(
            "upright_frame",
            "base_link",
            'Frame whose z axis points up, for the image_turn "auto".',
            needs_reconfigure=True,
        ),
        ParameterSpecification(
            "taught_file",
            "auto",
            "File that taught actions are read from and kept in; 'auto': your own, which "
            "affordance-grounding teach writes too; empty: in memory only.",
            needs_reconfigure=True,
        ),
        ParameterSpecification(
            "action",
            "",
            'Action to ground until a goal says otherwise; several are separated by ";" and '
            "grounded in turn; empty: wait for a goal.",
        ),
        ParameterSpecification(
            "goal_timeout",
            0.0,
            "Seconds after which a goal stops unless it is sent again; 0: never. A goal that "
            "brings its own goes first. The parameter action never stops by itself.",
            minimum=0.0,
            maximum=MAXIMUM_TIMEOUT,
        ),
        ParameterSpecification(
            "threshold",
            0.0,
            "Heat at which a pixel belongs to the mask; 0: the model's own. A goal that brings "
            "its own goes first.",
            minimum=0.0,
            maximum=1.0,
        ),
        ParameterSpecification(
            "minimum_region_area",
            -1.0,
            "Smallest region, as a share of the image's pixels; -1: the model's own.",
            minimum=-1.0,
            maximum=1.0,
        ),
        ParameterSpecification(
            "minimum_region_score",
            -1.0,
            "Lowest peak heat of a region; -1: the model's own.",
            minimum=-1.0,
            maximum=1.0,
        ),
        ParameterSpecification(
            "maximum_regions",
            0,
            "How many regions are reported, the best first; 0: the model's own number.",
            minimum=0,
            maximum=1000,
        ),
        ParameterSpecification(
            "overlay_opacity",
            0.75,
            "Opacity of the hottest pixels in the overlay.",
            minimum=0.0,
            maximum=1.0,
        ),
        ParameterSpecification(
            "overlay_colormap",
            "inferno",
            "Colours of the heat in the overlay.",
            one_of=get_args(Colormap),
        ),
        ParameterSpecification(
            "result_images",
            False,
            "Whether every result holds heatmap and mask of the whole image; their topics have "
            "them in any case, and each region has its own mask.",
        ),
        ParameterSpecification(
            "image_transport",
            "raw",
            'How images come: "raw" on the topic image, "compressed" (JPEG or PNG) on the same '
            "topic with /compressed behind it.",
            one_of=("raw", "compressed"),
            needs_reconfigure=True,
        ),
        ParameterSpecification(
            "image_rectified",
            False,
            "Whether images and depth have been rectified: the calibration's P then holds, "
            "otherwise its K and D.",
        ),
        ParameterSpecification(
            "depth_enabled",
            False,
            "Whether regions get a pose, from the topics depth (registered to the image) and "
            "camera_info.",
            needs_reconfigure=True,
        ),
        ParameterSpecification(
            "depth_registered",
            False,
            "Whether depth is registered to the image although its header names another frame, as "
            "some drivers send it; false: such depth is refused.",
        ),
        ParameterSpecification(
            "depth_slop",
            0.05,
            "Seconds that depth may have been taken before or after its image, where none has "
            "the image's own stamp.",
            minimum=0.0,
            maximum=0.05,
        ),
        ParameterSpecification(
            "depth_wait",
            0.1,
            "Seconds after an image's arrival that its depth is waited for; then the result goes "
            "out without poses.",
            minimum=0.0,
            maximum=2.0,
        ),
        ParameterSpecification(
            "depth_maximum",
            20.0,
            "Metres beyond which depth does not count.",
            minimum=0.01,
            maximum=10000.0,
        ),
        ParameterSpecification(
            "grasp_contact_offset",
            0.0,
            "Metres from a pose on ~/grasp_candidates along its z to where the gripper touches.",
            minimum=-1.0,
            maximum=1.0,
        ),
        ParameterSpecification(
            "target_frame",
            "",
            "Frame of the poses, by TF at the image's stamp; empty: the camera's own.",
            needs_reconfigure=True,
        ),
        ParameterSpecification(
            "image_timeout",
            5.0,
            "Seconds without an image until the node warns and names the publishers it sees; "
            "0: never.",
            minimum=0.0,
            maximum=3600.0,
        ),
        ParameterSpecification(
            "inference_timeout",
            5.0,
            "Seconds at one image after which the node reports that the model hangs; 0: never. "
            "It goes on by itself when the model answers.",
            minimum=0.0,
            maximum=3600.0,
        ),
        ParameterSpecification(
            "autostart",
            True,
            "Configure and activate the node when it starts; false: wait for a lifecycle manager.",
            read_only=True,
        ),
    )
)


@dataclass(frozen=True)
class GrounderSettings:
    """Values of the parameters, validated; the names and meanings are those of `PARAMETERS`."""

    model: str
    runtime: str
    input_size: int
    looks: Looks
    image_turn: str
    upright_frame: str
    taught_file: str
    action: str
    goal_timeout: float
    threshold: float
    minimum_region_area: float
    minimum_region_score: float
    maximum_regions: int
    overlay_opacity: float
    overlay_colormap: Colormap
    result_images: bool
    image_transport: str
    image_rectified: bool
    depth_enabled: bool
    depth_registered: bool
    depth_slop: float
    depth_wait: float
    depth_maximum: float
    grasp_contact_offset: float
    target_frame: str
    image_timeout: float
    inference_timeout: float
    autostart: bool

    @classmethod
    def from_values(cls, values: Mapping[str, Value]) -> GrounderSettings:
        """Make settings from validated values of every parameter.

        Args:
            values: values by name.
        """
        return cls(**{field.name: values[field.name] for field in fields(cls)})  # type: ignore[arg-type]

    def changed(self, values: Mapping[str, Value]) -> GrounderSettings:
        """The same settings with some validated values changed.

        Args:
            values: values of the changed parameters only, by name.
        """
        return replace(self, **values)  # type: ignore[arg-type]

    @property
    def overlay(self) -> OverlayConfig:
        """Style of the overlay."""
        return OverlayConfig(opacity=self.overlay_opacity, colormap=self.overlay_colormap)

    def regions(self, of_model: RegionConfig) -> RegionConfig:
        """How regions are extracted, where no goal says otherwise.

        Args:
            of_model: holds where a parameter leaves the choice to the model.
        """
        return replace(
            of_model,
            threshold=self.threshold or of_model.threshold,
            minimum_area=_given(self.minimum_region_area, of_model.minimum_area),
            minimum_score=_given(self.minimum_region_score, of_model.minimum_score),
            maximum_regions=self.maximum_regions or of_model.maximum_regions,
        )


def _given(value: float, otherwise: float) -> float:
    return otherwise if value < 0.0 else value
