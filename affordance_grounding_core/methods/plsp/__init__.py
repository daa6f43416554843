"""WSAG-PLSP: grounding learned from part labels, with part-level semantic priors."""
