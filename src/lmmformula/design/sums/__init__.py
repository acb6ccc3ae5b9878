"""Cross-products Z'Z and their coordinates: all that a Gaussian criterion reads of the rows."""
