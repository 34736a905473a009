"""Readers of pose files, one format a file."""
