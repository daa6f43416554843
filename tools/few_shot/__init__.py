"""Few-shot study of taught actions."""
