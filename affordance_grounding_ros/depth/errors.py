"""What keeps an image from getting depth, named."""

from __future__ import annotations

from affordance_grounding_core.errors import AffordanceGroundingError


class DepthError(AffordanceGroundingError, ValueError):
    """Depth, a calibration or a transform that cannot be used for an image.

    The image is grounded all the same; its regions have no pose.

    Attributes:
        kind: what is wrong, from a small fixed set, so that a log can tell kinds apart:
            "calibration", "encoding", "size", "frame", "time" or "transform".
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
