"""The formula of a model, as it stands in a heading."""

from lmmformula.errors import NOWHERE, printable
from lmmformula.ir.model import ModelIR


def formula_text(ir: ModelIR) -> str:
    """Return the formula as it was typed, without priors; the canonical one where that is more than a line."""
    ends = [prior.span.start for prior in ir.priors if prior.span != NOWHERE]
    typed = ir.source[: min(ends, default=len(ir.source))].strip().rstrip(";").rstrip()
    return ir.formula if not typed or "\n" in typed or "#" in typed else printable(typed)
