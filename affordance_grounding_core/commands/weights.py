"""`affordance-grounding weights`: fetch the frozen backbone ahead of its first use."""

from __future__ import annotations

import typer


def weights() -> None:
    """Fetch and verify the pinned backbone weights where they are not cached."""
    from affordance_grounding_core.backbones.weights import main

    code = main()
    if code:
        raise typer.Exit(code)
