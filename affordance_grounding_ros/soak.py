"""Soak test of the node, as `python -m affordance_grounding_ros.soak`; see `measure.soak`."""

from affordance_grounding_ros.measure.soak import main

if __name__ == "__main__":
    raise SystemExit(main())
