"""How much of the attention hashing sees, and what that does to the labels."""
