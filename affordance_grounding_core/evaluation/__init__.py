"""Metrics, the two published protocols, and reports."""
