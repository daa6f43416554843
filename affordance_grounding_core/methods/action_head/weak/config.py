"""Options of part labels made from image-level labels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WeakLabelConfig:
    """How parts are told from the pictures of hands at work.

    Attributes:
        tool_actions: actions whose part meets something else than the hand. An exocentric
            picture shows the hand at another part then, and the part lies away from it.
        grip_action: action that says where a tool is held.
        egocentric_pictures: of every class of object that are learned from, at most.
        exocentric_pictures: of every action with a class of object, likewise.
        reach: in patches; an object's patch is at the hand if it is this near.
        away: in patches; an object's patch is away from the hand if it is at least this far.
        rank: a patch belongs to an object of a class if fewer other classes fit better.
        own_weight: of what pictures of the same object class say, beside those of all classes;
            reached in the limit of many pictures.
        avoidance: weight of not being held, for tool actions.
        distance: weight of being far from where it is held, likewise.
        sharpness: of the choice between the parts; in standard deviations of the evidence over
            an object, how strongly a patch prefers one.
        contrast: exponent of a patch's share in a part; above 1 for labels that keep to where the
            evidence is clear.
        shrinkage: of covariances, towards a ball.
    """

    tool_actions: tuple[str, ...] = ("cut_with", "hit", "pour", "stir", "brush_with", "write")
    grip_action: str = "hold"
    egocentric_pictures: int = 16
    exocentric_pictures: int = 24
    reach: float = 1.5
    away: float = 3.0
    rank: int = 5
    own_weight: float = 3.0
    avoidance: float = 0.5
    distance: float = 0.7
    sharpness: float = 2.0
    contrast: float = 2.0
    shrinkage: float = 0.1

    def __post_init__(self) -> None:
        if min(self.egocentric_pictures, self.exocentric_pictures, self.rank) < 1:
            raise ValueError(
                "egocentric_pictures, exocentric_pictures and rank must be at least 1, got "
                f"{self.egocentric_pictures}, {self.exocentric_pictures} and {self.rank}"
            )
        if not 0.0 < self.reach < self.away:
            raise ValueError(
                f"distances must satisfy 0 < reach < away, got {self.reach} and {self.away}"
            )
        if min(self.own_weight, self.avoidance, self.distance) < 0.0:
            raise ValueError(f"weights must not be negative, got {self}")
        if min(self.sharpness, self.contrast, self.shrinkage) <= 0.0:
            raise ValueError(
                f"sharpness, contrast and shrinkage must be above 0, got {self.sharpness}, "
                f"{self.contrast} and {self.shrinkage}"
            )
