"""Figures of a report, one kind a module; matplotlib is imported here and nowhere else."""
