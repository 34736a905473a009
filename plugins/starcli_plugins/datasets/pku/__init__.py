"""PKU-MMD."""
