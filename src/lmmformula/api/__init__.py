"""What a user holds: the model, its fits, and their comparison."""
