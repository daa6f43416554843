"""Refinement of part labels by what is left of an object when somebody uses it."""
