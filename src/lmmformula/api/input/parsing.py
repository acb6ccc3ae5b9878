"""Text to `ModelIR`, the door to the formula language."""

from collections.abc import Sequence
from dataclasses import replace

from lmmformula.api.input.families import read_family
from lmmformula.errors import FormulaError
from lmmformula.formula.parse import parse_text
from lmmformula.ir.family import Family
from lmmformula.ir.lower.model import lower
from lmmformula.ir.model import ModelIR
from lmmformula.newcomers import answering

Priors = str | Sequence[str] | None


@answering
def parse(text: str) -> ModelIR:
    """
    Parse a formula, and prior statements behind it, to the model they mean.

    >>> print(parse("y ~ x*z + (x | g)"))
    y ~ x + z + x:z + (x | g)
    """
    return lower(parse_text(required_text(text, "a formula", "y ~ x + (x | group)")))


def specification(spec: str | ModelIR, family: str | Family, priors: Priors) -> ModelIR:
    """
    Join what a user gives a model: a formula or its IR, the family, and prior statements, the later of equals winning.

    Formula and statements are parsed as one text, so that a caret can point into either.
    """
    ir = spec if isinstance(spec, ModelIR) else parse(spec)  # by itself, so that a fault of it is shown by itself
    if not isinstance(priors, str | Sequence | None):
        raise FormulaError(f"priors are a text or a list of texts, not a {type(priors).__name__}")
    statements = [priors] if isinstance(priors, str) else list(priors or ())
    if statements:
        texts = [required_text(statement, "a prior", "sd ~ exponential(1)") for statement in statements]
        ir = parse("\n;\n".join([str(spec), *texts]))  # no statement goes on in the next
    return replace(ir, family=read_family(family))


def required_text(value: object, what: str, example: str) -> str:
    """Refuse what is no text."""
    if not isinstance(value, str):
        raise FormulaError(f"{what} is a text, not a {type(value).__name__}", hint=f'such as "{example}"')
    return value
