"""A small action-conditioned head on frozen DINOv2 features."""
