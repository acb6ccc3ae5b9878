"""Intervals for parameters: Wald's, by profiles, and the precision they need; the bootstrap's are in refits."""
