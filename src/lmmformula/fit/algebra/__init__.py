"""
Linear algebra of M = Lambda'C Lambda + I, C = Z'WZ, with Lambda from roots T that may be singular.

gram : C by factors and pairs of factors;  effects : vectors with an entry for each random effect
factorised : what every elimination must be able to say;  single, nested, crossed, sparse, dense : the eliminations
border, complement : how the factor that is eliminated first meets the others;  plan : which elimination fits
blocks : many small matrices at once
"""
