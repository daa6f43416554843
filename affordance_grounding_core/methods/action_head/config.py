"""Options of the action head: its network, its views of the data and its loss."""

from __future__ import annotations

from dataclasses import dataclass

LABEL_BLUR = 0.05
"""Standard deviation of AGD20K's blur of a part mask, as a share of the picture's side."""


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
        attention: transformer blocks over the patches inside the head.
        mask_width: channels of the part masks' own layers; 0 for a head without masks.
        context: transformer blocks over a grid of half as many patches each way, through which a
            patch knows the whole picture; 0 for none.
        blur: standard deviation of the Gaussian that spreads heat, as a share of the input's
            side; 0 for none. AGD20K's rule for labels is `LABEL_BLUR`.
        adapter_rank: rank of the changes of the backbone's weights that are trained with the head
            (see `adapters`); 0 for a backbone as it is.
        adapted_from: the first block that is changed; the last is the last of `blocks`.
    """

    actions: int
    feature_width: int = 384
    blocks: tuple[int, ...] = (6, 9, 11)
    width: int = 128
    dropout: float = 0.3
    block_dropout: float = 0.3
    attention: int = 0
    mask_width: int = 0
    context: int = 0
    blur: float = 0.0
    adapter_rank: int = 0
    adapted_from: int = 7

    def __post_init__(self) -> None:
        if self.actions < 1:
            raise ValueError(f"a head needs at least one action, got {self.actions}")
        if not self.blocks:
            raise ValueError("a head needs the tokens of at least one backbone block, got none")
        if self.width < 8 or self.width % 8:
            raise ValueError(f"width must be a positive multiple of 8, got {self.width}")
        if self.mask_width < 0 or self.mask_width % 8:
            raise ValueError(f"mask_width must be 0 or a multiple of 8, got {self.mask_width}")
        for name in ("attention", "context", "blur", "adapter_rank", "adapted_from"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if (self.attention or self.context) and self.width % 32:
            raise ValueError(
                f"width must be a multiple of 32 for heads of attention, got {self.width}"
            )
        for name in ("dropout", "block_dropout"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} must lie in [0, 1), got {getattr(self, name)}")
        if self.adapter_rank and not self.adapted_from - 1 <= min(self.blocks):
            raise ValueError(
                "with adapters, blocks are counted from the first and none lies before "
                f"adapted_from - 1 = {self.adapted_from - 1}, got {list(self.blocks)}"
            )
        if self.adapter_rank and self.adapted_from > max(self.blocks):
            raise ValueError(
                f"adapted_from must not lie behind the last of blocks {list(self.blocks)}, got "
                f"{self.adapted_from}"
            )

    @property
    def adapted_blocks(self) -> range:
        """Blocks of the backbone that the head changes."""
        return range(self.adapted_from, max(self.blocks) + 1) if self.adapter_rank else range(0)


@dataclass(frozen=True)
class AverageConfig:
    """Weights of another run with which those of a run are averaged at its end.

    Two heads that began alike and saw other scenes lie in one valley of the loss; the point between
    them is better than both ("model soups", Wortsman et al., ICML 2022).

    Attributes:
        model: model of the package or checkpoint folder of a head of the same sizes.
        share: of its weights in the average, in (0, 1).
    """

    model: str
    share: float = 0.3

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise ValueError(f"the share of an average must lie in (0, 1), got {self.share}")


@dataclass(frozen=True)
class ViewConfig:
    """Random views of a training image; the first view is always the plain image.

    Attributes:
        count: views of an image alone, the plain one included.
        mosaics: views of an image in a mosaic with three of other object classes.
        insets: views of an image small upon another of another object class.
        inset_scale: side of the smallest and the largest inset, as a share of the scene's.
        natural_aspect: whether views keep the aspect ratio of their image, up to `aspect`;
            otherwise an image is squashed to a square first.
        follow_parts: whether a crop is moved so that a marked part stays in view.
        turns: share of the views turned by a multiple of a right angle.
        minimum_scale: side of the smallest crop, as a share of the image's.
        maximum_scale: side of the largest; above 1 the image is mirrored outwards.
        rotation: largest rotation either way, in degrees.
        aspect: largest stretch of one side against the other, as a natural logarithm.
        brightness: largest relative change of brightness.
        colour_shift: largest shift of a channel, of 255.
        blur: largest standard deviation of a Gaussian blur, in px of the network input.
        noise: largest standard deviation of pixel noise, of 255.
        grey: share of the views without colour.
        tint: largest relative change of each colour channel by itself.
        darkness: share of the views with a tenth to six tenths of their light.
        compression: share of the views compressed as JPEG of quality 8 to 60.
    """

    count: int = 3
    mosaics: int = 1
    insets: int = 0
    inset_scale: tuple[float, float] = (0.3, 0.7)
    natural_aspect: bool = False
    follow_parts: bool = False
    turns: float = 0.0
    minimum_scale: float = 0.55
    maximum_scale: float = 1.15
    rotation: float = 20.0
    aspect: float = 0.2
    brightness: float = 0.4
    colour_shift: float = 20.0
    blur: float = 1.5
    noise: float = 8.0
    grey: float = 0.2
    tint: float = 0.0
    darkness: float = 0.0
    compression: float = 0.0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"an image needs at least one view, got {self.count}")
        if min(self.mosaics, self.insets) < 0:
            raise ValueError(
                "the numbers of mosaics and insets must not be negative, got "
                f"{self.mosaics} and {self.insets}"
            )
        low, high = self.inset_scale
        if not 0.0 < low <= high < 1.0:
            raise ValueError(
                f"inset_scale must be two rising shares in (0, 1), got {self.inset_scale}"
            )
        for name in ("turns", "grey", "darkness", "compression"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        if not 0.0 < self.minimum_scale <= self.maximum_scale:
            raise ValueError(
                "scales must satisfy 0 < minimum_scale <= maximum_scale, got "
                f"{self.minimum_scale} and {self.maximum_scale}"
            )


@dataclass(frozen=True)
class SceneCounts:
    """How many scenes are made of a picture.

    Attributes:
        views: of the picture alone, the plain one included.
        mosaics: of it with three of other object classes.
        insets: of it upon another of another object class.
    """

    views: int
    mosaics: int = 0
    insets: int = 0

    def __post_init__(self) -> None:
        if self.views < 1 or min(self.mosaics, self.insets) < 0:
            raise ValueError(
                f"a picture needs at least one view and no negative number of scenes, got {self}"
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
        mask: cross entropy and overlap of the part mask, for a head that has one.
    """

    distribution: float = 1.0
    level: float = 1.0
    absence: float = 1.0
    absent_peak: float = 0.3
    mask: float = 1.0

    def __post_init__(self) -> None:
        if min(self.distribution, self.level, self.absence, self.absent_peak, self.mask) < 0:
            raise ValueError(f"loss weights must not be negative, got {self}")
