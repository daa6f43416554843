"""Options of the refinement; the defaults are the published ones."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RefinementConfig:
    """How masks are learned (WSAG-PLSP, section 3.3).

    Attributes:
        resized: side in px to which the padded image is brought before it is cropped.
        exocentric: exocentric objects that a picture is compared with in a step.
        weight: factor of the loss.
        decoder_depth: two-way layers of the mask decoder.
        decoder_heads: attention heads in each; they divide half of the encoder's width.
        decoder_hidden: channels of the perceptron in each.
        learning_rate: learning rate of everything but the encoder.
        encoder_learning_rate: learning rate of the encoder, where it is trained.
        weight_decay: weight decay of AdamW.
    """

    resized: int = 256
    exocentric: int = 3
    weight: float = 4.0
    decoder_depth: int = 2
    decoder_heads: int = 8
    decoder_hidden: int = 2048
    learning_rate: float = 1e-4
    encoder_learning_rate: float = 1e-5
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        for name in ("resized", "exocentric", "decoder_depth", "decoder_heads", "decoder_hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("weight", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")


@dataclass(frozen=True)
class SnapConfig:
    """How a learned mask becomes a label (WSAG-PLSP, section 3.3).

    Attributes:
        probability: pixels of the object at which the mask is higher belong to the part.
        minimum_overlap: a proposal of which a smaller share lies in the mask is left out.
        near_best: a segment is left out, too, where its share is below this much of the best one's.
        swallow: a proposal that holds this much of the mask or more is left out, for it is the
            whole object rather than a part.
        published_quirks: leave such proposals out in any case, as the released code does. By
            default one stays if the same share of it lies in the mask and it is not the same
            share of the whole object: it is the very segment that the mask means.
    """

    probability: float = 0.95
    minimum_overlap: float = 0.1
    near_best: float = 0.9
    swallow: float = 0.9
    published_quirks: bool = False

    def __post_init__(self) -> None:
        for name in ("probability", "minimum_overlap", "near_best", "swallow"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
