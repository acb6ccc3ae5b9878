"""`:simplify`: which part of the random effects the data support least, and the model without it."""

from collections.abc import Iterator
from dataclasses import dataclass

from lmmformula.errors import FitError, FormulaError, printable
from lmmformula.ir.records import RandomTerm
from lmmformula.ir.written.text import random_text, terms_text
from lmmformula.repl.doing.changing import set_formula
from lmmformula.repl.doing.fitting import fit_of
from lmmformula.repl.state import States


@dataclass(frozen=True, slots=True)
class Simplification:
    """
    One step down.

    label : what is left out, as the table of reductions calls it
    update : the change as R's update() writes it
    """

    label: str
    update: str


def do_simplify(session: States, argument: str) -> str:
    """`:simplify` names the least supported part; `:simplify drop` leaves it out."""
    if argument not in ("", "drop"):
        raise FormulaError(f"can't read `{printable(argument)}`", hint=":simplify tells, :simplify drop leaves out")
    fit = fit_of(session)
    table = fit.ranova()
    session.note("print(fit.ranova())")
    known = {step.label: step for random in fit.ir.random for step in simplifications(random)}
    candidates = [label for label in table.frame.index if label in known]
    if not candidates:
        raise FitError("there is nothing to leave out")
    least = min(candidates, key=lambda label: float(table.frame["lrt"][label]))
    step = known[least]
    reason = "its variance is zero or nearly so" if table.frame["lrt"][least] < 1e-3 else "the data support it least"
    if argument == "drop":
        return f"without {printable(least)}: {reason}\n{set_formula(session, step.update)}"
    return f"{table}\n\nto leave out first: {printable(least)}; {reason}\n`:simplify drop` does, as {step.update}"


def simplifications(random: RandomTerm) -> Iterator[Simplification]:
    """
    List the steps down from one random term, under the labels of the table of reductions.

    >>> from lmmformula.api.input.parsing import parse
    >>> for step in simplifications(parse("y ~ x + (x + z | g)").random[0]):
    ...     print(step.label, "by", step.update)
    x in (x + z | g) by . ~ . - (x + z | g) + (z | g)
    z in (x + z | g) by . ~ . - (x + z | g) + (x | g)
    """
    whole = random_text(random)
    if not random.terms:
        yield Simplification(whole, f". ~ . - {whole}")
    group = whole.rpartition("|")[2].partition(")")[0].partition(",")[0].strip()
    for slope in random.terms:
        left = [term.label for term in random.terms if term != slope]
        inside = terms_text(random.intercept or not left, left)
        yield Simplification(f"{slope.label} in {whole}", f". ~ . - {whole} + ({inside} | {group})")
