"""Recordings: read, repaired, mapped, checked, cut, split."""
