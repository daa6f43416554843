"""Rooms of the grounder node: inputs, goals, inference, outputs."""
