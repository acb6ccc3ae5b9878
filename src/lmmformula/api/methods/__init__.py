"""Methods of fits: what is done after the fit, tests, marginal means; and the table of what which result can do."""
