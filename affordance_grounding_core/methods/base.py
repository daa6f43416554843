"""Table of the methods: a new one is a row here and a folder beside this file.

Modules are named, not imported: PyTorch comes with them, and training wants packages that a
robot need not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Method:
    """One way to train a grounder, and what to call for it.

    Attributes:
        name: name of the method in configs and checkpoints, and of its folder.
        random_model: name by which a model of published sizes and random weights is loaded, to
            measure speed with; empty where there is none.
        scores_paper_maps: whether its paper scores maps that are not the heat of a grounder.
        published: kinds of published checkpoints that can be imported.
    """

    name: str
    random_model: str = ""
    scores_paper_maps: bool = False
    published: tuple[str, ...] = ()

    @property
    def grounder_module(self) -> str:
        """Module with `build_grounder` and, for a random model, `random_grounder`."""
        return f"{__package__}.{self.name}.checkpoint"

    @property
    def official_module(self) -> str:
        """Module with `import_KIND` for each of `published`."""
        return f"{__package__}.{self.name}.official"

    @property
    def training_module(self) -> str:
        """Module with `train_from_config` and `outcome_lines`."""
        return f"{__package__}.{self.name}.training"


_ROWS = (
    Method("action_head"),
    Method("plsp", random_model="plsp-random", scores_paper_maps=True, published=("plsp",)),
    Method(
        "selective_cl",
        random_model="selective-cl-random",
        scores_paper_maps=True,
        published=("selective_cl", "locate"),
    ),
)

METHODS: Mapping[str, Method] = MappingProxyType({row.name: row for row in _ROWS})
"""Methods by name."""

RANDOM_MODELS: Mapping[str, Method] = MappingProxyType(
    {row.random_model: row for row in _ROWS if row.random_model}
)
"""Methods by the name of their random model."""
