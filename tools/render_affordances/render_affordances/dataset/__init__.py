"""Which pictures are rendered, and the files they lie in."""
