"""What a model is, once its syntax is gone and before any data are seen."""
