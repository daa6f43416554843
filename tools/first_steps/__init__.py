"""Runs the page "Your photographs, your action" on a photograph that comes with scikit-image."""
