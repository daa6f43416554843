"""Mean scores of an epoch, whatever a method scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from affordance_grounding_core.evaluation.protocols import MapScore

METRICS = tuple(field.name for field in fields(MapScore))
"""Names of the metrics of a score."""

Score = TypeVar("Score", bound="EpochScore")


@dataclass(frozen=True)
class EpochScore:
    """Mean scores of an epoch; a method adds a `MapScore` for each kind of map it scores.

    Attributes:
        epoch: number of the epoch, from 0; -1 before training.
    """

    epoch: int

    @classmethod
    def kinds(cls) -> tuple[str, ...]:
        """What is scored, in order."""
        return tuple(field.name for field in fields(cls) if field.name != "epoch")

    @classmethod
    def of_kinds(cls: type[Score], epoch: int, scores: Iterable[MapScore]) -> Score:
        """Make the scores of an epoch from one score for each kind, in order."""
        values: dict[str, Any] = dict(zip(cls.kinds(), scores, strict=True))
        return cls(epoch=epoch, **values)

    @classmethod
    def from_dict(cls: type[Score], values: Mapping[str, float]) -> Score:
        """Read what `as_dict` gives."""
        scores = [MapScore(*(values[f"{kind}_{m}"] for m in METRICS)) for kind in cls.kinds()]
        return cls.of_kinds(int(values["epoch"]), scores)

    def of_kind(self, kind: str) -> MapScore:
        """The score of one kind of map."""
        score: MapScore = getattr(self, kind)
        return score

    def as_dict(self) -> dict[str, float | int]:
        """Return plain values by name: "epoch", and for each kind "KIND_kld", "KIND_sim", ..."""
        values: dict[str, float | int] = {"epoch": self.epoch}
        for kind in self.kinds():
            score = asdict(self.of_kind(kind))
            values |= {f"{kind}_{metric}": float(value) for metric, value in score.items()}
        return values
