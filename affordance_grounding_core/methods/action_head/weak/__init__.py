"""Part labels for the action head from image-level labels alone."""
