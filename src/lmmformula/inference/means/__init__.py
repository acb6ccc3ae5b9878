"""Marginal means and slopes in a reference grid, of fits and posteriors alike."""
