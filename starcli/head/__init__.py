"""The dual-prompt head of STAR."""
