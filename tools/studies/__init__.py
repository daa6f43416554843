"""Studies whose tables stand in docs/: settings, each with several seeds, to one table."""
