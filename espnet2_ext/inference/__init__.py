"""Use of trained models: predictions and their files."""
