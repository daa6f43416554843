"""Put the runtime a user asked for into a grounder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from affordance_grounding_core.backbones.weights import cache_directory
from affordance_grounding_core.runtimes.eager import EagerRuntime
from affordance_grounding_core.runtimes.engine_store import ArtifactStore
from affordance_grounding_core.runtimes.gated import GatedRuntime, Subject
from affordance_grounding_core.runtimes.ladder import make_ladder
from affordance_grounding_core.runtimes.request import RuntimeRequest

if TYPE_CHECKING:
    from affordance_grounding_core.inference.grounder import Grounder
    from affordance_grounding_core.inference.runtime import HeatRuntime

STORE_VARIABLE = "AFFORDANCE_GROUNDING_ENGINES"
"""Environment variable that names another folder of engines."""


def store_directory() -> Path:
    """Folder of engines: $AFFORDANCE_GROUNDING_ENGINES or the user's cache."""
    named = os.environ.get(STORE_VARIABLE)
    return Path(named).expanduser() if named else cache_directory() / "engines"


def choose_runtime(
    grounder: Grounder, reference: HeatRuntime, request: RuntimeRequest
) -> HeatRuntime:
    """Make the runtime that was asked for, or the best there is.

    Args:
        grounder: whose preprocessing, vocabulary and thresholds hold.
        reference: its network in PyTorch. Any other runtime stays as it is: it has no network to
            export.
        request: what was asked for.

    Returns:
        The reference itself where PyTorch in float32 was asked for.

    Raises:
        RuntimeUnavailableError: the runtime or precision is not available on this machine.
    """
    if not isinstance(reference, EagerRuntime):
        return reference
    if request.runtime == "eager" and request.precision in ("auto", "fp32"):
        return reference
    ladder = make_ladder(request)
    if not ladder.candidates:
        return reference
    subject = Subject(
        preprocess=grounder.preprocess.config,
        vocabulary=len(grounder.actions),
        threshold=grounder.regions.threshold,
    )
    store = ArtifactStore(request.store or store_directory())
    return GatedRuntime(reference, ladder, store, request, subject)
