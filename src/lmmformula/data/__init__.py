"""Any data frame, as named columns."""
