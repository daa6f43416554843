"""Objects as arrays, and the geometry they are built with."""
