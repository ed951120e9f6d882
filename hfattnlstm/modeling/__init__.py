"""The models, their configuration and their pipeline.

Flat files that import only their siblings, because `save_pretrained` copies them into every checkpoint.
"""
