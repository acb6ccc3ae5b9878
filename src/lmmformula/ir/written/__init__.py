"""A model written: as text, as mathematics, as JSON."""
