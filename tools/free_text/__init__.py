"""How well everyday English resolves, on sentences that other people wrote."""
