"""Fits and posteriors in files, and back."""
