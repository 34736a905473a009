"""Naming recordings with a trained run."""
