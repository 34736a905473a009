"""Recordings: read, checked, normalised, cut and split."""
