"""Predictions and new responses, of fits and posteriors."""
