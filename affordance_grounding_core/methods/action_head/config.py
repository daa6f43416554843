"""Options of the action head: its network, its views of the data and its loss."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ActionHeadConfig:
    """Network on top of frozen patch features.

    Attributes:
        actions: number of actions.
        feature_width: channels of a backbone token.
        blocks: backbone blocks whose tokens are read; negative numbers count from the end.
        width: channels inside the head, a multiple of 8.
        dropout: share of feature channels dropped in training, each in the whole sample.
        block_dropout: share of the samples from which a block is dropped in training; the
            last block of `blocks` never is.
    """

    actions: int
    feature_width: int = 384
    blocks: tuple[int, ...] = (6, 9, 11)
    width: int = 128
    dropout: float = 0.3
    block_dropout: float = 0.3

    def __post_init__(self) -> None:
        if self.actions < 1:
            raise ValueError(f"a head needs at least one action, got {self.actions}")
        if not self.blocks:
            raise ValueError("a head needs the tokens of at least one backbone block, got none")
        if self.width < 8 or self.width % 8:
            raise ValueError(f"width must be a positive multiple of 8, got {self.width}")
        for name in ("dropout", "block_dropout"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} must lie in [0, 1), got {getattr(self, name)}")


@dataclass(frozen=True)
class ViewConfig:
    """Random views of a training image; the first view is always the plain image.

    Attributes:
        count: views of an image alone, the plain one included.
        mosaics: views of an image in a mosaic with three of other object classes.
        minimum_scale: side of the smallest crop, as a share of the image's.
        maximum_scale: side of the largest; above 1 the image is mirrored outwards.
        rotation: largest rotation either way, in degrees.
        aspect: largest stretch of one side against the other, as a natural logarithm.
        brightness: largest relative change of brightness.
        colour_shift: largest shift of a channel, of 255.
        blur: largest standard deviation of a Gaussian blur, in px of the network input.
        noise: largest standard deviation of pixel noise, of 255.
        grey: share of the views without colour.
    """

    count: int = 3
    mosaics: int = 1
    minimum_scale: float = 0.55
    maximum_scale: float = 1.15
    rotation: float = 20.0
    aspect: float = 0.2
    brightness: float = 0.4
    colour_shift: float = 20.0
    blur: float = 1.5
    noise: float = 8.0
    grey: float = 0.2

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"an image needs at least one view, got {self.count}")
        if self.mosaics < 0:
            raise ValueError(f"the number of mosaics must not be negative, got {self.mosaics}")
        if not 0.0 < self.minimum_scale <= self.maximum_scale:
            raise ValueError(
                "scales must satisfy 0 < minimum_scale <= maximum_scale, got "
                f"{self.minimum_scale} and {self.maximum_scale}"
            )


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms of the loss.

    Attributes:
        distribution: KL divergence of the normalised heat from the blurred label, the term
            of WSAG-PLSP (section 3.3).
        level: cross entropy of the heat against the blurred label with its peak at 1, which
            makes heat comparable between images.
        absence: cross entropy against zero for actions that the object does not afford.
        absent_peak: share of the highest heat in that term, beside the mean: a small hot
            spot is all it takes to be called found.
    """

    distribution: float = 1.0
    level: float = 1.0
    absence: float = 1.0
    absent_peak: float = 0.3

    def __post_init__(self) -> None:
        if min(self.distribution, self.level, self.absence, self.absent_peak) < 0:
            raise ValueError(f"loss weights must not be negative, got {self}")
