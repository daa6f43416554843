"""Building engines: made and gated, searched for down a ladder, built beside the answers."""
