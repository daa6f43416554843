"""What the node says of itself: status, diagnostics, watchdogs."""
