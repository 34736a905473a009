"""Trained models as folders that travel."""
