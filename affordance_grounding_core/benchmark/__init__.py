"""Benchmarks: speed of inference, training and the node, as ratios measured in one run."""
