"""Open-vocabulary segmenters that look for named parts."""
