"""Training: the Trainer, its callbacks, metrics and the classification run."""
