"""Movements as data, and clips composed of them without end."""
