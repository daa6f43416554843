"""Engines on disk: what they are of, what their folder says, and the store that keeps them."""
