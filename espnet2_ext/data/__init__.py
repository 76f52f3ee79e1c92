"""Training data: data sets, sampling, cropping, checks."""
