"""Options of WSAG-PLSP: sizes of its network and weights of its loss."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PlspNetworkConfig:
    """Sizes of everything behind the encoder; the defaults are the published ones.

    Attributes:
        actions: classes that the exocentric classifier tells apart.
        width: channels of encoder tokens and of text vectors.
        fuser_depth: cross-attention blocks of the verb fuser.
        fuser_heads: attention heads in each.
        drop_path: share of samples for which the last of these blocks is skipped in training;
            it grows linearly from 0 at the first.
        layer_scale: start value of the learned factor on each branch of a block.
        decoder_depth: two-way layers of the decoder.
        decoder_heads: attention heads in each; they divide half of `width`.
        decoder_hidden: channels of the perceptron in each.
        classifier_hidden: channels inside the exocentric classifier.
        reasoning: whether the part predicted from noun and action joins the query. Without it
            the query is the action vector alone, as in the ablation.
    """

    actions: int
    width: int = 512
    fuser_depth: int = 4
    fuser_heads: int = 16
    drop_path: float = 0.1
    layer_scale: float = 0.1
    decoder_depth: int = 2
    decoder_heads: int = 8
    decoder_hidden: int = 2048
    classifier_hidden: int = 256
    reasoning: bool = True

    def __post_init__(self) -> None:
        for name in ("actions", "fuser_heads", "decoder_heads", "decoder_hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("fuser_depth", "decoder_depth"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.width < 8 or self.width % 8:
            raise ValueError(
                f"width must be a positive multiple of 8, for positions and upscaling split it, "
                f"got {self.width}"
            )
        if self.width % self.fuser_heads:
            raise ValueError(f"fuser_heads must divide width {self.width}, got {self.fuser_heads}")
        if self.width // 2 % self.decoder_heads:
            raise ValueError(
                f"decoder_heads must divide half of width {self.width}, got {self.decoder_heads}"
            )
        if not 0.0 <= self.drop_path < 1.0:
            raise ValueError(f"drop_path must lie in [0, 1), got {self.drop_path}")


@dataclass(frozen=True)
class PlspLossConfig:
    """Weights of the terms of the loss; the defaults are the published ones.

    Attributes:
        distribution: KL divergence of the softmax heat from the blurred part label.
        alignment: hinge that pulls the affordance token towards the exocentric object.
        exocentric: cross entropy of the action read off the exocentric object.
        noun: cosine distance of the predicted from the true noun.
        part: cosine distance of the predicted from the true part name.
        margin: cosine distance that the alignment forgives.
        published_quirks: compare every predicted noun and part with those of the whole batch,
            as the released code does where it stores them without a token axis, instead of
            each with its own.
    """

    distribution: float = 1.0
    alignment: float = 10.0
    exocentric: float = 10.0
    noun: float = 1.0
    part: float = 0.1
    margin: float = 0.1
    published_quirks: bool = False

    def __post_init__(self) -> None:
        for name in ("distribution", "alignment", "exocentric", "noun", "part"):
            if getattr(self, name) < 0:
                raise ValueError(
                    f"the weight of loss term {name!r} must not be negative, got "
                    f"{getattr(self, name)}"
                )
        if not 0.0 <= self.margin < 2.0:
            raise ValueError(
                f"margin must lie in [0, 2), the range of a cosine distance, got {self.margin}"
            )
