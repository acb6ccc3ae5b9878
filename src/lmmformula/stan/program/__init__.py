"""A Stan program: what fills its blocks, its words, its data and its text."""
