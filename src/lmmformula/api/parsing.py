"""Text to `ModelIR`, the door to the formula language."""

from collections.abc import Sequence
from dataclasses import replace

from lmmformula.api.families import read_family
from lmmformula.errors import FormulaError
from lmmformula.formula.parse import parse_text
from lmmformula.ir.family import Family
from lmmformula.ir.lower import lower
from lmmformula.ir.model import ModelIR

Priors = str | Sequence[str] | None


def parse(text: str) -> ModelIR:
    """
    Parse a formula, and prior statements behind it, to the model they mean.

    >>> print(parse("y ~ x*z + (x || g)"))
    y ~ x + z + x:z + (x || g)
    """
    if not isinstance(text, str):
        raise FormulaError(f"a formula is a text, not a {type(text).__name__}", hint='such as "y ~ x + (x | group)"')
    return lower(parse_text(text))


def specification(spec: str | ModelIR, family: str | Family, priors: Priors) -> ModelIR:
    """
    Join what a user gives a model: a formula or its IR, the family, and prior statements, the later of equals winning.

    Formula and statements are parsed as one text, so that a caret can point into either.
    """
    statements = [priors] if isinstance(priors, str) else list(priors or ())
    if isinstance(spec, ModelIR) and not statements:
        ir = spec
    else:
        if isinstance(spec, str):
            parse(spec)  # a fault of the formula is shown in the formula alone
        ir = parse("\n".join([str(spec) if isinstance(spec, ModelIR) else spec, *statements]))
    return replace(ir, family=read_family(family))
