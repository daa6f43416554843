"""What refinement makes of part labels, measured against exact masks."""
