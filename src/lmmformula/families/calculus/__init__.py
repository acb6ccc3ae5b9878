"""What densities are made of: jets (values with their derivatives), special functions, links."""
