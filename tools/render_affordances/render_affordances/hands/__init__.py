"""The hand: its joints, how it touches, and how it takes hold."""
