"""Data sets of motion capture."""
