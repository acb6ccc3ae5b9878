"""REML and ML estimation from cross-products."""
