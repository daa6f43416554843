"""Actions a user teaches from a few marked pictures, by prototypes of frozen patch features."""
