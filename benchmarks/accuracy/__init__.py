"""Accuracy and minutes against what a person would use instead, on the same texts: `python -m benchmarks accuracy`."""
