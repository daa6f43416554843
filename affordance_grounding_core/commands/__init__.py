"""The commands of `affordance-grounding`, one a file."""
