"""What an optimiser needs: covariance parameters, starts, Newton, tolerances, counted work, and the verdict."""
