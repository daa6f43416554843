"""Parametric everyday objects, one module a kind."""
