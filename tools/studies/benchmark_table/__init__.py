"""The benchmark table of docs/studies/benchmark.md: every row with its seeds and spread."""
