"""Posteriors under the accessor names of a fit: draws, intervals, log likelihoods, the mode."""
