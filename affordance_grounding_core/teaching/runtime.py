"""Runtime that answers taught actions beside the trained ones."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from affordance_grounding_core.inference.runtime import HeatRuntime, RuntimeReport
from affordance_grounding_core.methods.action_head.network import ActionHeadNetwork
from affordance_grounding_core.runtimes.eager import EagerRuntime
from affordance_grounding_core.teaching.features import PatchFeatures
from affordance_grounding_core.teaching.prototypes import TaughtScorer

Route = int | TaughtScorer
"""Where an action of the vocabulary is answered: by a channel of the network, or by a scorer."""


class TaughtRuntime(HeatRuntime):
    """Answers taught actions by prototypes and trained ones by the model's own runtime.

    An engine holds fixed weights and gives no features, so taught actions take a pass of the
    backbone in PyTorch beside it. Where PyTorch runs the model too, one pass serves both.

    Args:
        inner: runtime of the model.
        features: features of the model's backbone.
    """

    def __init__(self, inner: HeatRuntime, features: PatchFeatures) -> None:
        self.inner = inner
        self._features: PatchFeatures | None = features
        self._routes: tuple[Route, ...] = ()
        self._beside = False

    def set_routes(self, routes: Sequence[Route]) -> None:
        """Say how the actions of the vocabulary are answered.

        Args:
            routes: one for each, in their order.
        """
        self._routes = tuple(routes)

    @property
    def description(self) -> str:
        """Runtime, device and precision of what answered last."""
        if self._beside and self._features is not None:
            return f"eager-{next(self._features.backbone.parameters()).device}-fp32"
        return self.inner.description

    def run(self, pixels: NDArray[np.float32], actions: Sequence[int]) -> NDArray[np.float32]:
        """Compute the heat of some actions.

        Args:
            pixels: (3, h, w) float32, normalised.
            actions: K indices into the vocabulary.

        Returns:
            (K, rows, columns) float32 in [0, 1]. Where the model draws part masks and a trained
            action is among them, (2 K, rows, columns): heat, then part masks, which are empty
            for taught actions.
        """
        routes = [self._routes[action] for action in actions]
        channels = [route for route in routes if isinstance(route, int)]
        self._beside = not channels
        if len(channels) == len(routes):
            return self.inner.run(pixels, channels)
        trained, features = self._look(pixels, channels)
        shape = trained.shape[1:] if trained is not None else features.shape[:2]
        count = len(channels)
        answers = iter(() if trained is None else trained[:count])
        heat = [
            next(answers) if isinstance(route, int) else _to_grid(route.heat(features), shape)
            for route in routes
        ]
        masks = iter(() if trained is None else trained[count:])
        if trained is None or len(trained) == count:
            return np.stack(heat)
        empty = np.zeros(shape, np.float32)
        return np.stack(
            [*heat, *(next(masks) if isinstance(route, int) else empty for route in routes)]
        )

    def evaluation_maps(
        self, pixels: NDArray[np.float32], actions: Sequence[int]
    ) -> dict[str, NDArray[np.float32]]:
        """Compute the maps of trained actions; taught ones have none. See `HeatRuntime`."""
        routes = [self._routes[action] for action in actions]
        channels = [route for route in routes if isinstance(route, int)]
        if len(channels) < len(routes):
            return {}
        return self.inner.evaluation_maps(pixels, channels)

    @property
    def report(self) -> RuntimeReport | None:
        """What answers the trained actions, and why."""
        return self.inner.report

    def prepare(self, height: int, width: int, *, wait: bool = True) -> RuntimeReport | None:
        """Load or build what one input size needs; see `HeatRuntime`."""
        return self.inner.prepare(height, width, wait=wait)

    def close(self) -> None:
        """Free the memory of the model."""
        self._features = None
        self.inner.close()

    def _look(
        self, pixels: NDArray[np.float32], channels: Sequence[int]
    ) -> tuple[NDArray[np.float32] | None, NDArray[np.float32]]:
        """Heat of trained actions, None if there are none, and the features of all patches."""
        if self._features is None:
            return self.inner.run(pixels, channels), np.zeros((0, 0, 0), np.float32)  # it raises
        if not channels:
            return None, self._features.of_pixels(pixels)
        network = self.inner.network if isinstance(self.inner, EagerRuntime) else None
        if isinstance(network, ActionHeadNetwork) and network.backbone is self._features.backbone:
            return _one_pass(network, self._features, pixels, channels)
        return self.inner.run(pixels, channels), self._features.of_pixels(pixels)


def _one_pass(
    network: ActionHeadNetwork,
    features: PatchFeatures,
    pixels: NDArray[np.float32],
    channels: Sequence[int],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    device = next(network.parameters()).device
    rows, columns = features.grid(pixels)
    of_head = tuple(block % network.backbone.depth for block in network.head.config.blocks)
    wanted = tuple(dict.fromkeys((*of_head, *features.blocks)))
    batch = torch.from_numpy(pixels)[None].to(device)
    with torch.inference_mode():
        found = dict(zip(wanted, network.backbone(batch, wanted), strict=True))
        indices = torch.tensor(list(channels), dtype=torch.int64, device=device)
        tokens = [found[block] for block in of_head]
        heat = network.decode(tokens, rows, columns, indices, batch)
    return (
        np.asarray(heat.float().cpu().numpy(), np.float32),
        features.of_tokens([found[block] for block in features.blocks], rows, columns),
    )


def _to_grid(heat: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Bring heat of patches to the finer grid of a model's own heat."""
    if heat.shape == shape:
        return heat
    resized = cv2.resize(heat, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.float32)
