"""The design of data in parts: two passes, what the first learns and what the second sums."""
