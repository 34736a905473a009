"""Formats that several data sets come in."""
