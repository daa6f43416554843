"""The moving picture of the README: a camera over a photograph, and what the grounder answers."""
