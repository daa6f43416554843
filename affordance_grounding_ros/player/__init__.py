"""Photographs, folders and videos as a camera."""
