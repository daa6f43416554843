"""Action vocabularies, aliases and how a command resolves to an action."""
