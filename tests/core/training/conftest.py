"""Runs that are small enough to be started in processes of their own."""

from __future__ import annotations

from tests.core.methods.selective_cl.conftest import forty_images, tiny

__all__ = ["forty_images", "tiny"]
