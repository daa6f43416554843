"""Client side of the node: goals out, results back."""
