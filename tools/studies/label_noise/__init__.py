"""How WSAG-PLSP bears labels as a real segmenter would make them, and what its parts are worth."""
