"""Datasets: the AGD20K layout and its labels."""
