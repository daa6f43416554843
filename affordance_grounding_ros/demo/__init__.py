"""Demonstration: photographs in, answers out, over topics."""
