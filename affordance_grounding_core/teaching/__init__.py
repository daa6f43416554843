"""Actions taught from a few marked pictures, by prototypes of frozen patch features."""
