"""Descriptions of actions, and how alike texts are."""
