"""Syntax tree to model: the only place where the two meet."""

from lmmformula.ir.lower.model import lower, lower_priors
from lmmformula.ir.lower.update import update

__all__ = ["lower", "lower_priors", "update"]
