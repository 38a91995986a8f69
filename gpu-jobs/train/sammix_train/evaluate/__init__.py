"""Scores of slices and volumes."""
