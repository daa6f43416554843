"""Everyday English that asks for an action or to stop."""
