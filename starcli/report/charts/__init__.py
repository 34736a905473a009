"""Figures that one touches, as Vega-Lite: what lies under the pointer is told and chosen."""
