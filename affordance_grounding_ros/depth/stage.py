"""The step from regions of an image to their places in space; an image never fails for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rclpy.node import Node

from affordance_grounding_core.images import RgbImage
from affordance_grounding_core.inference.result import GroundingResult
from affordance_grounding_ros.common.problem_log import ProblemLog
from affordance_grounding_ros.depth.camera_model import DepthError
from affordance_grounding_ros.depth.grasp_filter import GraspFilter
from affordance_grounding_ros.depth.input import DepthClaim, DepthInput, DepthSettings
from affordance_grounding_ros.depth.outputs import DepthOutputs, RegionPoses
from affordance_grounding_ros.depth.transforms import FrameLookup
from affordance_grounding_ros.health.figures import DepthCounts


class DepthStage:
    """Gives regions their poses, and says why where it cannot.

    Args:
        node: node that subscribes and publishes.
        settings: gives the parameters of now.
        frames: knows where frames lie; None without a target frame.

    Attributes:
        input: subscriptions to depth and calibration.
        outputs: topics of poses, points and markers.
        filter: chooses among the grasps of other planners.
    """

    def __init__(
        self, node: Node, settings: Callable[[], DepthSettings], frames: FrameLookup | None = None
    ) -> None:
        self._settings = settings
        self.input = DepthInput(node, settings, frames)
        self.outputs = DepthOutputs(node)
        self._log = ProblemLog(node.get_logger().warning)
        self.filter = GraspFilter(node, settings, self._log.report)
        self._lock = threading.Lock()
        self._counts = DepthCounts()
        self._problem = ""

    @property
    def problem(self) -> str:
        """Why the last image's regions have no poses, or some of them; empty if they have."""
        return self._problem

    @property
    def counts(self) -> DepthCounts:
        """The numbers so far."""
        return self._counts

    def locate(self, claim: DepthClaim, header: Any, result: GroundingResult) -> RegionPoses:
        """Compute where the regions of an image lie; waits for late depth, but not for long.

        Args:
            claim: claim of the image.
            header: header of the image.
            result: the grounder's result for the image.
        """
        height, width = result.mask.shape
        try:
            view = self.input.view(claim, header, width, height)
        except DepthError as error:
            missing = error.kind in ("time", "transform")
            return self._without(header, result, error.kind, str(error), missing=missing)
        except Exception as error:
            # Nothing that comes by these topics may cost the image its result.
            text = f"depth failed with {type(error).__name__}: {error}"
            return self._without(header, result, type(error).__name__, text, missing=False)
        grasps, problem = view.grasps(result)
        self._count(used=1)
        self._problem = problem
        if problem:
            self._log.report("region", f"a region has no pose: {problem}")
        return RegionPoses(view.frame_id, grasps, problem, view)

    def publish(
        self, header: Any, image: RgbImage, result: GroundingResult, poses: RegionPoses
    ) -> None:
        """Publish where the regions of one image lie, and let grasps be chosen by it.

        Args:
            header: header of the image.
            image: message of a camera or a file, unchanged.
            result: the grounder's result.
            poses: poses of the regions.
        """
        if poses.view:
            self.filter.remember(header, result, poses.view)
        self.outputs.publish(header, image, result, poses)

    def resume(self) -> None:
        """Listen to grasps that are to be chosen from.

        Raises:
            ValueError: a `qos_overrides` parameter that is not acceptable.
        """
        self.filter.open()

    def pause(self) -> None:
        """Take away what is shown."""
        self._problem = ""
        self.filter.close()
        self.outputs.clear()

    def release(self) -> None:
        """Leave all topics."""
        self.input.release()
        self.outputs.destroy()
        self.filter.destroy()

    def _without(
        self, header: Any, result: GroundingResult, kind: str, text: str, *, missing: bool
    ) -> RegionPoses:
        self._count(missing=int(missing), refused=int(not missing))
        self._problem = f"regions have no poses: {text}"
        self._log.report(f"depth {kind}", self._problem)
        frame = self._settings().target_frame or header.frame_id
        return RegionPoses(frame, [None] * len(result.regions), text if result.regions else "")

    def _count(self, used: int = 0, missing: int = 0, refused: int = 0) -> None:
        with self._lock:
            now = self._counts
            self._counts = DepthCounts(
                now.used + used, now.missing + missing, now.refused + refused
            )
