"""How good scores are: metrics, calibrated stacking, gate, model selection."""
