"""From image messages to arrays and back."""
