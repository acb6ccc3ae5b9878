"""
Distributions of the response: pure mathematics, one file a family.

family : what each is asked for;  table : by name;  links : from a parameter to its linear predictor, and back
jets : densities with their derivatives;  special : functions that lose no digits
"""
