"""Measurements of the running node: soak, benchmark."""
