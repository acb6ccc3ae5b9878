"""A model on its data: schema, matrices and cross-products."""
