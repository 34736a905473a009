"""Language models that are asked for descriptions."""
