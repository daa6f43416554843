"""From the published layouts of data sets to a test list and masks."""
