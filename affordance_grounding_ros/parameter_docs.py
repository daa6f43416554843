"""Tables of parameters, as `python -m affordance_grounding_ros.parameter_docs --write`."""

from affordance_grounding_ros.node.parameter_docs import main

if __name__ == "__main__":
    raise SystemExit(main())
