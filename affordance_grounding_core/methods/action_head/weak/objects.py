"""Classes of objects as Gaussians of one covariance, and where the object of a picture is."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from affordance_grounding_core.methods.action_head.weak.config import WeakLabelConfig
from affordance_grounding_core.methods.action_head.weak.gaussians import Metric
from affordance_grounding_core.methods.action_head.weak.pictures import Pictures

_FEWEST = 6  # patches of an object


@dataclass(frozen=True)
class ObjectModel:
    """Foreground of egocentric pictures.

    Attributes:
        metric: inside the classes.
        means: (K, C) of the classes.
        rank: see `WeakLabelConfig.rank`.
    """

    metric: Metric
    means: torch.Tensor
    rank: int

    @classmethod
    def of(cls, egocentric: Pictures, classes: int, config: WeakLabelConfig) -> ObjectModel:
        """Measure the classes.

        Args:
            egocentric: pictures of every class.
            classes: number of them.
            config: how.
        """
        groups = []
        for number in range(classes):
            chosen = egocentric.objects == number
            groups.append(egocentric.patches[chosen][egocentric.foreground[chosen] > 0])
        nothing = torch.zeros(egocentric.patches.shape[-1])
        means = [group.mean(0) if len(group) else nothing for group in groups]
        metric = Metric.of([group for group in groups if len(group)], config.shrinkage)
        return cls(metric, torch.stack(means), config.rank)

    def mask(self, patches: torch.Tensor, foreground: torch.Tensor, number: int) -> torch.Tensor:
        """Find the object of a picture.

        Args:
            patches: (N, C) float32, centred on their background.
            foreground: (N,) above 0 where there is an object.
            number: of its class.

        Returns:
            (N,) bool, never without a patch.
        """
        fits = self.metric.fit(patches, self.means)
        own = fits[:, number]
        inside = (foreground > 0) & ((fits > own[:, None]).sum(1) < self.rank)
        if int(inside.sum()) < _FEWEST:
            inside = torch.zeros_like(inside)
            inside[(own + foreground).topk(min(_FEWEST, len(own))).indices] = True
        return inside
