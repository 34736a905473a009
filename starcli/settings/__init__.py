"""All settings, and where each value comes from."""
