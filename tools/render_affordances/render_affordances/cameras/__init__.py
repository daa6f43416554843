"""Cameras that look at an arrangement, and how their pictures are developed."""
