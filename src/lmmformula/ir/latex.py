"""A model in mathematics."""

from lmmformula.ir.model import ModelIR


def latex(ir: ModelIR) -> str:
    """Write a model in mathematics."""
    raise NotImplementedError(ir)
