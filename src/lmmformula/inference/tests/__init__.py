"""Tests: of linear functions of beta, of terms, and between models."""
