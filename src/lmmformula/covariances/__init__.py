"""
Covariance structures of random coefficients, one file each: pure mathematics, and the words for it.

structure : what every structure can say of itself
unstructured, diagonal, compound_symmetry, autoregressive : the structures; table : their names
tied, one_correlation : what structures with fewer correlations than pairs share
maps, scaled, spherical : parameters -> covariance matrix, with derivatives; matrices : small linear algebra
"""
