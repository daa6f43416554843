"""`python -m affordance_grounding_core`, the same as `affordance-grounding`."""

from __future__ import annotations

from affordance_grounding_core.commands.cli import main

if __name__ == "__main__":
    main()
