"""Whether exocentric pictures teach anything, against guesses."""
