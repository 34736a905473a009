"""Made-up actions of a stick body."""
