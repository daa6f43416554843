"""From image and action to heatmap, mask and regions."""
