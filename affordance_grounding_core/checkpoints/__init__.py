"""The checkpoint format and the models that come with the package."""
