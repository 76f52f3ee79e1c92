"""Scores, intervals, figures, tables and pages about trained models. Nothing here imports torch."""
