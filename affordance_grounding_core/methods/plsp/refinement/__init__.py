"""Refinement of part labels: what a hand covers in use is taken for the part."""
