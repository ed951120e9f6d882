"""How a classifier of opinions answers sentences that differ in one thing: a name, a group, a negation, the length."""
