"""What the training runs of all methods share."""
