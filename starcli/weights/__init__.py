"""Weights of others: read safely, and matched with our networks."""
