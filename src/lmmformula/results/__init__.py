"""Fits and posteriors under the accessor names of the field."""
