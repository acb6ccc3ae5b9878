"""The likelihood of other families: modes, Laplace's approximation, quadrature, and their optimum."""
