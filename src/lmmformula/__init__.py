"""Mixed-effects models from one lme4 formula: an exact REML/ML fit and a Stan program, side by side."""
