"""Pieces that several kinds of objects are put together from."""
