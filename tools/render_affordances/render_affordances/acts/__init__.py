"""People at work: what they do with an object, and from where they are seen."""
