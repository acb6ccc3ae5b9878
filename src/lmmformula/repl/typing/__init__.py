"""What is told while a line is being typed: its pieces, what may come next, what it would mean."""
