"""Syntax tree to model: the only place where the two meet."""
