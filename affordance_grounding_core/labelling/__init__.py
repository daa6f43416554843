"""Part labels for a training set, made by an open-vocabulary segmenter."""
