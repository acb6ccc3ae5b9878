"""What fits a model again and again: bootstrap, power, and the jobs that share the work."""
