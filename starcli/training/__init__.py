"""How networks are trained: loop, checkpoints, seeds, tracking, several processes."""
