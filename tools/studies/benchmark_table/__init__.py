"""The benchmark table of docs/benchmark.md: every row with its seeds and spread."""
