"""Running networks fast: runtimes."""
