"""A session in which formulas are typed, understood, fitted and changed."""
