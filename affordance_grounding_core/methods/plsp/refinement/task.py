"""Lightning module that trains the mask network."""

from __future__ import annotations

import math
from typing import Any

import torch
from lightning import LightningModule
from torch.nn import functional

from affordance_grounding_core.errors import TrainingError
from affordance_grounding_core.methods.plsp.refinement.alignment import (
    complement_loss,
    complement_weights,
    masked_mean,
)
from affordance_grounding_core.methods.plsp.refinement.config import RefinementConfig
from affordance_grounding_core.methods.plsp.refinement.feature_bank import PatchFeatures
from affordance_grounding_core.methods.plsp.refinement.network import MaskNetwork


class RefinementTask(LightningModule):
    """Trains a `MaskNetwork` by complement alignment.

    Args:
        network: network that makes masks.
        features: frozen; not trained, saved or switched to train mode by this task.
        config: weights and rates.
    """

    def __init__(
        self, network: MaskNetwork, features: PatchFeatures, config: RefinementConfig
    ) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self._features = [features]  # in a list, so that it is no submodule of this one

    def training_step(self, batch: dict[str, Any], batch_index: int) -> torch.Tensor:
        """Compute the loss of one batch.

        Raises:
            TrainingError: the loss is not finite.
        """
        loss = self.config.weight * self.alignment(batch)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"loss of batch {batch_index} in epoch {self.current_epoch} is {loss.item()}; "
                "expected a finite number: lower the learning rate"
            )
        self.log("train/loss", loss, prog_bar=True, on_step=False, on_epoch=True, batch_size=1)
        return loss

    def alignment(self, batch: dict[str, Any]) -> torch.Tensor:
        """Compare what the masks leave with what is visible; see `complement_loss`."""
        logits = self.network(batch["pixels"], batch["pair"])
        mask = functional.interpolate(
            logits[:, None].sigmoid(),
            size=batch["pixels"].shape[-2:],
            mode="bilinear",
            align_corners=False,
        )[:, 0]
        patches = self._features[0](batch["region"]).detach()
        side = math.isqrt(patches.shape[1])
        weights = complement_weights(mask, batch["box"], side, side)
        return complement_loss(masked_mean(patches, weights), batch["visible"], batch["counted"])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW; the encoder, where it is trained, at a rate of its own."""
        encoder: list[torch.nn.Parameter] = []
        others: list[torch.nn.Parameter] = []
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                (encoder if name.startswith("encoder.") else others).append(parameter)
        groups = [{"params": others, "lr": self.config.learning_rate}]
        if encoder:
            groups.append({"params": encoder, "lr": self.config.encoder_learning_rate})
        return torch.optim.AdamW(groups, betas=(0.9, 0.95), weight_decay=self.config.weight_decay)
