"""A small action-conditioned head on DINOv2 features."""
