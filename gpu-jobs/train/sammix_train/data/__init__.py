"""From scans to the slices of a step."""
