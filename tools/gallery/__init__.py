"""The gallery of the README: what the model answers on photographs and renders, failures too."""
