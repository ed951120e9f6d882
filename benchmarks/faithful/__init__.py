"""How far the explanations of trained models can be trusted, and what remedies in training do for them."""
