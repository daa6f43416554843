"""The few-shot study of taught actions: how good one, three or five marked pictures are."""
