"""Training of WSAG-PLSP, as a Lightning task."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from torch import nn
from torch.nn import functional

from affordance_grounding_core.errors import CheckpointError, TrainingError
from affordance_grounding_core.evaluation.protocols import MapScore
from affordance_grounding_core.methods.plsp.config import (
    PartNameConfig,
    PlspLossConfig,
    PlspOptimiserConfig,
    PlspSizes,
)
from affordance_grounding_core.methods.plsp.dataset import InputFormat, Item
from affordance_grounding_core.methods.plsp.encoders import EncoderConfig, load_encoder
from affordance_grounding_core.methods.plsp.losses import (
    PlspLoss,
    alignment_loss,
    distribution_loss,
    exocentric_tokens,
    text_loss,
    weighted_loss,
)
from affordance_grounding_core.methods.plsp.network import PlspAnswer, PlspNetwork
from affordance_grounding_core.methods.plsp.part_names import PartNames, load_part_names
from affordance_grounding_core.methods.plsp.scoring import (
    EpochScore,
    mean_score,
    protocol_heat,
    score_heat,
)
from affordance_grounding_core.methods.plsp.vectors import (
    encode_actions,
    encode_objects,
    encode_parts,
    name_codes,
)

_TERMS = ("distribution", "alignment", "exocentric", "noun", "part")


class PlspTask(LightningModule):
    """Trains a `PlspNetwork` on part labels and images of people.

    Args:
        actions: vocabulary; the order is that of the exocentric classifier.
        encoder: which looks at the images.
        sizes: of the network.
        loss: weights of its terms.
        optimiser: rates.
        part_names: where the names of parts come from; not used without a text encoder.
        size: side in px of the square input of training.
        selection: name of the scores, "test" or "validation"; see `PlspData`.
        seed: of the first weights.

    Attributes:
        scores: of the epochs so far.
        replaced: unreadable images met so far.
    """

    def __init__(
        self,
        actions: list[str],
        encoder: EncoderConfig = EncoderConfig(),  # noqa: B008  frozen
        sizes: PlspSizes = PlspSizes(),  # noqa: B008  frozen
        loss: PlspLossConfig = PlspLossConfig(),  # noqa: B008  frozen
        optimiser: PlspOptimiserConfig = PlspOptimiserConfig(),  # noqa: B008  frozen
        part_names: PartNameConfig = PartNameConfig(),  # noqa: B008  frozen
        size: int = 224,
        selection: str = "test",
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.actions = list(actions)
        self.encoder_config = encoder
        self.loss = loss
        self.optimiser = optimiser
        self.part_names = part_names
        self.selection = selection
        self.seed = seed
        loaded = load_encoder(encoder, size)
        self._text = [loaded.text]  # in a list, so that it is no part of the module
        self.frozen = None if encoder.trained else loaded.image
        width = int(loaded.image.output_width)  # type: ignore[arg-type]
        self.config = sizes.network(len(actions), width)
        self.input_format = InputFormat(size, encoder.patch_size, *encoder.normalisation)
        cells = self.input_format.cells
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = PlspNetwork(
                self.config,
                loaded.image if encoder.trained else None,  # type: ignore[arg-type]
                (cells, cells),
            )
            learned = torch.randn(len(actions), self.config.width)
        vectors = learned if loaded.text is None else encode_actions(loaded.text, self.actions)
        self.action_vectors = nn.Parameter(vectors, requires_grad=loaded.text is None)
        self.scores: list[EpochScore] = []
        self.replaced = 0
        self._epoch_scores: list[tuple[MapScore, MapScore]] = []
        self._batch_name = ""
        self._targets: tuple[torch.Tensor, torch.Tensor] | None = None

    @property
    def encoder(self) -> nn.Module:
        """What looks at the images, trained or not."""
        found = self.frozen if self.frozen is not None else self.network.encoder
        if not isinstance(found, nn.Module):
            raise RuntimeError("this task has no encoder")
        return found

    def train(self, mode: bool = True) -> PlspTask:
        """Train, but keep a frozen encoder in evaluation mode."""
        super().train(mode)
        if self.frozen is not None:
            self.frozen.eval()
        return self

    def on_fit_start(self) -> None:
        """Make the vectors of the objects and parts that the data has.

        Raises:
            PartNameError: a part has no name.
        """
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        self.know(data.training.objects, data.training.pairs)

    def know(self, objects: list[str], pairs: list[tuple[str, str]]) -> None:
        """Set what the numbers of objects and parts in a batch mean.

        Raises:
            PartNameError: a part has no name.
        """
        (text,) = self._text
        if text is None:
            names = [f"{action} {name}" for action, name in pairs]
            width = self.config.width
            self._targets = name_codes(objects, width), name_codes(names, width)
        else:
            parts = encode_parts(text, pairs, self._load_part_names())
            self._targets = encode_objects(text, objects), parts

    def tokens(self, batch: Item, name: str) -> torch.Tensor:
        """Encode images, or take their tokens from the batch, at the network's width.

        Args:
            batch: with "pixels" or "tokens" of that name's beginning.
            name: "" or "people_".

        Returns:
            (..., 1 + N, width).
        """
        if f"{name}tokens" in batch:
            raw = batch[f"{name}tokens"].flatten(0, -3).to(self.action_vectors.dtype)
        elif self.frozen is None:
            raise RuntimeError("a trained encoder looks at all images of a batch together")
        else:
            with torch.no_grad():
                raw = self.frozen(batch[f"{name}pixels"].flatten(0, -4))
        projected: torch.Tensor = self.network.token_projection(raw)
        return projected

    def answer(self, batch: Item) -> tuple[PlspAnswer, torch.Tensor | None]:
        """Ground the action of every image.

        Returns:
            What the network says, and the tokens of the people (B * E, 1 + N, width) if any.
        """
        cells = self.input_format.cells
        has_people = "object_masks" in batch
        if self.frozen is None and "pixels" in batch:
            # One run of the encoder is quicker than two.
            shown = [batch["pixels"]]
            if has_people:
                shown.append(batch["people_pixels"].flatten(0, 1))
            together, _, _ = self.network.encode(torch.cat(shown))
            tokens, people = together[: len(shown[0])], together[len(shown[0]) :]
        else:
            tokens = self.tokens(batch, "")
            people = self.tokens(batch, "people_") if has_people else tokens[:0]
        vectors = self.action_vectors[batch["action"]]
        answer = self.network.ground(tokens, vectors, cells, cells)
        return answer, people if has_people else None

    def compute_loss(self, batch: Item) -> PlspLoss:
        """Compute all terms of the loss of a batch."""
        if self._targets is None:
            raise RuntimeError("`know` must run before the first loss")
        answer, people = self.answer(batch)
        alignment = classified = None
        if people is not None:
            masks = batch["object_masks"].flatten(0, 1)
            objects = exocentric_tokens(people, masks)
            alignment = alignment_loss(answer.affordance, objects, self.loss.margin)
            repeated = batch["action"].repeat_interleave(batch["object_masks"].shape[1])
            classified = functional.cross_entropy(self.network.classify(objects), repeated)
        nouns, parts = (target.to(self.device) for target in self._targets)
        quirks = self.loss.published_quirks
        return weighted_loss(
            distribution_loss(answer.logits, batch["label"]),
            alignment,
            classified,
            text_loss(answer.noun, nouns[batch["object"]], quirks),
            text_loss(answer.part, parts[batch["pair"]], quirks),
            self.loss,
        )

    def on_train_batch_start(self, batch: Item, batch_idx: int) -> None:
        """Make the paths that are dropped depend on nothing but the place in the run."""
        place = (self.seed, self.current_epoch, batch_idx, self.global_rank)
        (number,) = np.random.SeedSequence(place).generate_state(1, np.uint64)
        torch.manual_seed(int(number >> np.uint64(1)))

    def training_step(self, batch: Item, batch_index: int) -> torch.Tensor:
        """Compute the loss of one batch.

        Raises:
            TrainingError: it is not finite; the images of the batch are named.
        """
        self._batch_name = f"batch {batch_index} of epoch {self.current_epoch}:\n" + "\n".join(
            batch["files"]
        )
        loss = self.compute_loss(batch)
        terms = {name: getattr(loss, name) for name in _TERMS}
        if not torch.isfinite(loss.total):
            shown = {name: float(value.detach()) for name, value in terms.items()}
            raise TrainingError(
                f"loss is {loss.total.item()} ({shown}); expected a finite number: lower "
                f"model.optimiser.learning_rate, or look for damaged images in {self._batch_name}"
            )
        self.replaced += int(batch["replaced"].sum())
        count = len(batch["action"])
        self._log({"loss": loss.total}, count, progress=True)
        self._log(terms, count)
        return loss.total

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Refuse to spoil the weights with a gradient that is not finite.

        Raises:
            TrainingError: it is not; the images of the batch are named.
        """
        if self.trainer.precision == "16-mixed":
            return  # the gradient scaler skips such steps on its own
        gradients = [p.grad for p in self.parameters() if p.grad is not None]
        if not all(bool(torch.isfinite(gradient).all()) for gradient in gradients):
            raise TrainingError(
                "a gradient is not finite although the loss is; lower "
                "model.optimiser.learning_rate, or look for damaged images in " + self._batch_name
            )

    def on_validation_epoch_start(self) -> None:
        """Forget the scores of the epoch before."""
        self._epoch_scores.clear()

    def validation_step(self, batch: Item, batch_index: int) -> dict[str, torch.Tensor]:
        """Score the heat of every image; the maps are handed on to be drawn."""
        answer, _ = self.answer(batch)
        heat = protocol_heat(answer.logits)
        self._epoch_scores += score_heat(heat, batch["ground_truth"])
        return {"index": batch["index"], "maps": heat}

    def on_validation_epoch_end(self) -> None:
        """Average over images and keep the scores of the epoch."""
        if not self._epoch_scores:
            return
        fitting = self.trainer.state.fn == TrainerFn.FITTING
        epoch = self.current_epoch if fitting else -1
        columns = list(zip(*self._epoch_scores, strict=True))
        score = EpochScore(epoch, *(self._mean(column) for column in columns))
        for name, value in score.as_dict().items():
            if name != "epoch":
                self.log(f"{self.selection}/{name}", value, prog_bar=name == "plsp_kld")
        if not self.trainer.sanity_checking:
            self.scores.append(score)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW, the encoder at its own rate."""
        encoder = {id(p) for p in self.encoder.parameters()}
        trained = [p for p in self.parameters() if p.requires_grad]
        rate = self.optimiser.learning_rate
        groups: list[dict[str, Any]] = [
            {"params": [p for p in trained if id(p) not in encoder], "name": "rest"},
            {
                "params": [p for p in trained if id(p) in encoder],
                "lr": rate * self.optimiser.encoder_factor,
                "name": "encoder",
            },
        ]
        return torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=rate,
            betas=self.optimiser.betas,
            weight_decay=self.optimiser.weight_decay,
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave a frozen encoder out, and add what tells whether a checkpoint fits."""
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {
            name: value for name, value in state.items() if not name.startswith("frozen.")
        }
        checkpoint["actions"] = self.actions
        checkpoint["scores"] = [score.as_dict() for score in self.scores]
        checkpoint["replaced"] = self.replaced

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another vocabulary or network.

        Raises:
            CheckpointError: naming both vocabularies, or what does not fit.
        """
        if checkpoint.get("actions") != self.actions:
            raise CheckpointError(
                f"checkpoint was trained for the actions {checkpoint.get('actions')}, this run "
                f"has {self.actions}; the order counts too: resume with the same model.actions"
            )
        state = checkpoint["state_dict"]
        own = self.state_dict()
        frozen = {name: value for name, value in own.items() if name.startswith("frozen.")}
        trained = own.keys() - frozen.keys()
        misfits = sorted(
            name
            for name in trained | state.keys()
            if name not in trained or name not in state or own[name].shape != state[name].shape
        )
        if misfits:
            raise CheckpointError(
                f"checkpoint does not fit this run's network, for example {misfits[:3]}; resume "
                "with the config that it was trained with"
            )
        state.update(frozen)
        self.scores = [_epoch_score(values) for values in checkpoint["scores"]]
        self.replaced = int(checkpoint["replaced"])

    def _load_part_names(self) -> PartNames:
        options = self.part_names
        file = Path(options.file).expanduser() if options.file else None
        style: Any = options.style
        return load_part_names(style, file, options.parts, self.actions)

    def _mean(self, scores: tuple[MapScore, ...]) -> MapScore:
        totals = torch.from_numpy(mean_score(scores)).to(self.device)
        if self.trainer.world_size > 1:
            totals = torch.as_tensor(self.all_gather(totals)).sum(dim=0)
        return MapScore(*(totals[:-1] / totals[-1]).tolist())

    def _log(self, values: Mapping[str, torch.Tensor], count: int, progress: bool = False) -> None:
        for name, value in values.items():
            self.log(
                f"train/{name}",
                value.detach().float(),
                prog_bar=progress,
                on_step=False,
                on_epoch=True,
                batch_size=count,
                sync_dist=self.trainer.world_size > 1,
            )


def _epoch_score(values: Mapping[str, float]) -> EpochScore:
    scores = [
        MapScore(*(values[f"{name}_{metric}"] for metric in ("kld", "sim", "nss")))
        for name in ("plsp", "locate")
    ]
    return EpochScore(int(values["epoch"]), *scores)
