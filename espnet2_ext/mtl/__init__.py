"""Multi-task learning: tasks, encoders, heads, losses, weightings, metrics."""
