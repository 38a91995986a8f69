"""Segment Anything building blocks, written here with the reference package's parameter names."""
