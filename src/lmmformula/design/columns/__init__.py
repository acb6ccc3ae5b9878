"""What a variable becomes: expressions evaluated on a table, and what is learnt of them on the way."""
