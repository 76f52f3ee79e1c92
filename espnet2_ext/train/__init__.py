"""Training: the trainer, its checkpoints and its statistics."""
