"""From the name of a model to a grounder that is ready to use."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from affordance_grounding_core.actions.vocabulary import abbreviate
from affordance_grounding_core.deployment.request import RuntimeRequest, parse_runtime
from affordance_grounding_core.errors import CheckpointError

if TYPE_CHECKING:
    from affordance_grounding_core.inference.grounder import Grounder

METHODS = MappingProxyType(
    {
        "action_head": "affordance_grounding_core.methods.action_head.inference",
        "plsp": "affordance_grounding_core.methods.plsp.inference",
        "selective_cl": "affordance_grounding_core.methods.selective_cl.inference",
    }
)
"""Training method to the module whose `build_grounder` runs its checkpoints."""

RANDOM_MODELS = MappingProxyType(
    {
        "plsp-random": "affordance_grounding_core.methods.plsp.inference",
        "selective-cl-random": "affordance_grounding_core.methods.selective_cl.inference",
    }
)
"""Model of published sizes and random weights, for measuring speed, to the module whose
`random_grounder` builds it."""


def load_grounder(
    name: str | Path = "default",
    runtime: str = "auto",
    *,
    precision: str | None = None,
    backbone_weights: str | Path | None = None,
    request: RuntimeRequest | None = None,
) -> Grounder:
    """Load a model.

    Args:
        name: a model of the package ("default"), one of `RANDOM_MODELS` or a checkpoint folder.
        runtime: one of `deployment.request.RUNTIMES`, with a precision after a hyphen if wanted
            ("openvino-int8"). "auto" takes the fastest that is installed and passes the
            numeric gate.
        precision: one of `deployment.request.PRECISIONS`.
        backbone_weights: local file of the frozen backbone; where None, the cached or
            pinned weights, which are fetched once.
        request: more options of the runtime, in place of `runtime` and `precision`.

    Returns:
        A grounder; `warm_up` makes its first call as fast as the others.

    Raises:
        CheckpointError: no such model, or a file that is missing, damaged or of another kind.
        WeightsError: the backbone cannot be fetched or verified.
        RuntimeUnavailableError: no such runtime or precision on this machine.
    """
    request = request or RuntimeRequest(*parse_runtime(runtime, precision))
    weights = Path(backbone_weights).expanduser() if backbone_weights else None
    grounder = _load_eager(name, weights)
    if (request.runtime, request.precision) in (("eager", "auto"), ("eager", "fp32")):
        return grounder
    from affordance_grounding_core.deployment.runtimes.selection import choose_runtime

    try:
        grounder.use_runtime(lambda eager: choose_runtime(grounder, eager, request))
    except Exception:
        grounder.close()
        raise
    return grounder


def _load_eager(name: str | Path, weights: Path | None) -> Grounder:
    """Load a model on plain PyTorch."""
    if name in RANDOM_MODELS:
        return cast("Grounder", import_module(RANDOM_MODELS[str(name)]).random_grounder("eager"))
    # PyTorch comes with these; importing the package alone stays quick.
    from affordance_grounding_core.checkpoints.format import (
        packaged_checkpoint,
        packaged_names,
        read_checkpoint,
    )

    try:
        folder = packaged_checkpoint(str(name)) or Path(name).expanduser()
        is_folder = bool(str(name)) and folder.is_dir()
    except (OSError, RuntimeError):  # too long for a file system; the home of nobody
        is_folder = False
    if not is_folder:
        raise CheckpointError(
            f"model {abbreviate(str(name), 200)} is neither one of "
            f"{[*packaged_names(), *RANDOM_MODELS]} nor a checkpoint folder; give one of these "
            "names or the path of a folder with config.json and model.safetensors"
        )
    checkpoint = read_checkpoint(folder)
    method = str(checkpoint.config.get("method"))
    if method not in METHODS:
        raise CheckpointError(
            f"checkpoint {folder} was trained by method {method!r}; this version of the package "
            f"runs {sorted(METHODS)}"
        )
    builder = import_module(METHODS[method])
    return cast("Grounder", builder.build_grounder(checkpoint, str(name), "eager", weights))
