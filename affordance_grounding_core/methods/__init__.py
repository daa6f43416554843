"""One package for each training method."""
