"""The intermediate representation of a model: all that its text says, and nothing of how it was typed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from lmmformula.errors import DataError, LmmFormulaError, meant
from lmmformula.ir.expand import expand
from lmmformula.ir.expressions import Expression, Variable, variables
from lmmformula.ir.records import FixedTerms, ModelRecord
from lmmformula.ir.terms import Term
from lmmformula.ir.written.codec import decode, encode
from lmmformula.ir.written.latex import latex
from lmmformula.ir.written.text import canonical_text, formula_text
from lmmformula.newcomers import answers_newcomers


@answers_newcomers(made="parse()")
@dataclass(frozen=True, slots=True)
class ModelIR(ModelRecord):
    """
    A mixed-effects model, without data.

    random : the random terms in the order of the formula, `||` and `/` expanded
    offsets : the arguments of offset(...) terms
    priors : the statements in the order they were given; the later of two equals wins
    source : the text that was typed, for messages
    """

    def __str__(self) -> str:
        """Return the canonical text: the formula, and below it the prior statements; it parses back to an equal IR."""
        return canonical_text(self)

    @property
    def formula(self) -> str:
        """The canonical text of the formula alone."""
        return formula_text(self)

    def latex(self) -> str:
        """Return the model in mathematics, a LaTeX `aligned` environment."""
        return latex(self)

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"

    def to_dict(self) -> dict[str, Any]:
        """Return the IR as a dict that JSON can hold; `from_dict` is its inverse."""
        return encode(self)

    @classmethod
    def from_dict(cls, encoded: dict[str, Any]) -> "ModelIR":
        """Rebuild what `to_dict` made."""
        return cls.of(decode(encoded))

    @classmethod
    def of(cls, record: ModelRecord) -> "ModelIR":
        """Make a model of what it consists of."""
        return cls(**{field.name: getattr(record, field.name) for field in fields(record)})

    def bind(self, column_names: Iterable[str]) -> "ModelIR":
        """
        Replace a `.` by the columns that the response doesn't read; without a `.` the IR stays as it is.

        column_names : names of the data's columns, in their order
        """
        if self.fixed.pending is None:
            return self
        taken = {variable.name for variable in self._response_variables()}
        names = list(column_names)
        columns = [Variable(name) for name in names if name not in taken]
        try:
            _check_known(self.fixed.pending, names)
            found = expand(self.fixed.pending, columns, self.response.named)
        except LmmFormulaError as error:
            raise error.located(self.source) from None
        terms = tuple(term for term in found.terms if not self.response.is_term(term))
        return replace(self, fixed=FixedTerms(found.intercept, terms), offsets=found.offsets)

    def variables(self) -> tuple[Variable, ...]:
        """List all columns that the model reads, each once, in order of appearance: response, fixed, random."""
        first: dict[str, Variable] = {}
        for variable in self._variables():
            first.setdefault(variable.name, variable)
        return tuple(first.values())

    def _response_variables(self) -> Iterator[Variable]:
        for expression in self.response.expressions:
            yield from variables(expression)

    def _variables(self) -> Iterator[Variable]:
        yield from self._response_variables()
        yield from _term_variables(self.fixed.terms)
        for offset in self.offsets:
            yield from variables(offset)
        for random in self.random:
            yield from _term_variables(random.terms)
            yield from random.group


def _check_known(expression: Expression, names: Sequence[str]) -> None:
    """Refuse columns that aren't there, those that are only taken out included: `. - x`."""
    for variable in variables(expression):
        if variable.name not in names:
            hint = meant(variable.name, names)
            raise DataError(f"no column named {variable.name!r}", span=variable.span, hint=hint)


def _term_variables(terms: Sequence[Term]) -> Iterator[Variable]:
    for term in terms:
        for factor in term.factors:
            yield from variables(factor)
