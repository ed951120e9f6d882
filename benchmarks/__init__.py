"""How fast the models are, measured against what people would use instead; `python -m benchmarks --help`."""
