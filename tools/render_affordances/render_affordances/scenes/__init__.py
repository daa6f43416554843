"""Arrangements as scenes of Blender: materials, light, bodies and pictures."""
