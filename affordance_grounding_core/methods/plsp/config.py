"""Options of WSAG-PLSP: sizes of its network, weights of its loss, its optimiser."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace


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
        encoder_width: channels of the encoder's tokens where they are others; a linear layer
            then brings them to `width`. None for `width`.
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
    encoder_width: int | None = None
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


@dataclass(frozen=True)
class PlspSizes:
    """Sizes of the network that a run may choose; see `PlspNetworkConfig`.

    Attributes:
        width: channels; the encoder's where None.
        fuser_depth: blocks of the verb fuser.
        fuser_heads: heads in each.
        drop_path: drop rate of the last of them.
        decoder_depth: layers of the decoder.
        decoder_heads: heads in each.
        decoder_hidden: channels of the perceptron in each.
        reasoning: whether the predicted part joins the query.
    """

    width: int | None = None
    fuser_depth: int = 4
    fuser_heads: int = 16
    drop_path: float = 0.1
    decoder_depth: int = 2
    decoder_heads: int = 8
    decoder_hidden: int = 2048
    reasoning: bool = True

    def network(self, actions: int, encoder_width: int) -> PlspNetworkConfig:
        """Sizes of the network behind an encoder.

        Args:
            actions: actions of the vocabulary.
            encoder_width: channels of the encoder's tokens.
        """
        values = asdict(self) | {"width": self.width or encoder_width, "actions": actions}
        config = PlspNetworkConfig(**values)
        if config.width == encoder_width:
            return config
        return replace(config, encoder_width=encoder_width)


@dataclass(frozen=True)
class PlspOptimiserConfig:
    """AdamW as published.

    Attributes:
        learning_rate: learning rate of everything but the encoder.
        encoder_factor: rate of the encoder, as a multiple of it.
        betas: decay rates of the running means.
        weight_decay: weight decay of all parameters.
    """

    learning_rate: float = 1e-4
    encoder_factor: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        if self.learning_rate <= 0 or self.encoder_factor <= 0 or self.weight_decay < 0:
            raise ValueError(
                "learning_rate and encoder_factor must be positive and weight_decay not negative, "
                f"got {self.learning_rate}, {self.encoder_factor} and {self.weight_decay}"
            )


@dataclass(frozen=True)
class PartNameConfig:
    """Where the part names come from; see `part_names.load_part_names`.

    Attributes:
        style: style of the package's table, "agd20k" or "robot".
        file: the user's own table.
        parts: entries such as "open/jar=jar lid".
    """

    style: str = "agd20k"
    file: str | None = None
    parts: list[str] = field(default_factory=list)
