"""How far a classifier's accuracy falls where letters are disturbed."""
