"""The node's reports about itself: status, diagnostics, watchdogs."""
