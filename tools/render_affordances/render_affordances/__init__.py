"""Renders a benchmark of affordances in the AGD20K layout; runs in Blender's Python."""
