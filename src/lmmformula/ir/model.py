"""The intermediate representation of a model: all that its text says, and nothing of how it was typed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from lmmformula.covariances.structure import Covariance
from lmmformula.covariances.unstructured import UNSTRUCTURED
from lmmformula.errors import NOWHERE, DataError, LmmFormulaError, Span, meant
from lmmformula.ir.expand import expand
from lmmformula.ir.family import GAUSSIAN, Family
from lmmformula.ir.names import backticked
from lmmformula.ir.priors import Prior
from lmmformula.ir.terms import Expression, Term, Variable, variables


@dataclass(frozen=True, slots=True)
class Response:
    """
    The left-hand side.

    kind : "value" for one expression; "counts" for cbind(successes, failures); "proportion" for successes / trials,
        which is also the value of that quotient where the family has no trials
    expressions : one expression, or two for counts and proportions
    """

    kind: Literal["value", "counts", "proportion"]
    expressions: tuple[Expression, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)

    @property
    def label(self) -> str:
        """The left-hand side as R writes it, `cbind(s, f)`."""
        from lmmformula.ir.text import response_text

        return response_text(self)

    @property
    def named(self) -> tuple[Expression, ...]:
        """The response as the first variable of the formula, as R counts them."""
        return self.expressions if self.kind == "value" else ()

    def is_term(self, term: Term) -> bool:
        """Tell whether a term is the response itself, which R drops from the right-hand side."""
        return term.factors == self.named


@dataclass(frozen=True, slots=True)
class FixedTerms:
    """
    The fixed effects.

    intercept : whether there is a column of ones
    terms : the other terms, by order and within it by appearance, as R's terms.formula sorts them
    dot : whether a `.` still waits for the names of the data's columns (see `ModelIR.bind`)
    pending : the whole right-hand side while a `.` waits, random terms apart; None otherwise
    """

    intercept: bool
    terms: tuple[Term, ...]
    dot: bool = False
    pending: Expression | None = None


@dataclass(frozen=True, slots=True)
class RandomTerm:
    """
    One `(terms | group)`: random coefficients that vary between the levels of a grouping factor.

    intercept, terms : as in `FixedTerms`; never both empty
    group : the variables whose interaction is the grouping factor, in the order of its name:
        `(1 | a/b)` has become (b, a) and (a,), which lme4 calls "b:a" and "a"
    name : the grouping factor's name where lme4 puts brackets into it, `c:(b:a)`
    split : whether `||` made it one of several
    """

    intercept: bool
    terms: tuple[Term, ...]
    group: tuple[Variable, ...]
    covariance: Covariance = UNSTRUCTURED
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    name: str = field(default="", compare=False)
    split: bool = field(default=False, compare=False, repr=False)

    @property
    def group_name(self) -> str:
        """The grouping factor as lme4 names it, `b:a`."""
        if len(self.group) == 1:
            return self.group[0].name
        return self.name or ":".join(backticked(variable.name) for variable in self.group)


@dataclass(frozen=True, slots=True)
class ModelIR:
    """
    A mixed-effects model, without data.

    random : the random terms in the order of the formula, `||` and `/` expanded
    offsets : the arguments of offset(...) terms
    priors : the statements in the order they were given; the later of two equals wins
    source : the text that was typed, for messages
    """

    response: Response
    fixed: FixedTerms
    random: tuple[RandomTerm, ...] = ()
    offsets: tuple[Expression, ...] = ()
    family: Family = GAUSSIAN
    priors: tuple[Prior, ...] = ()
    source: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        """Return the canonical text: the formula, and below it the prior statements; it parses back to an equal IR."""
        return "\n".join([self.formula, *map(str, self.priors)])

    @property
    def formula(self) -> str:
        """The canonical text of the formula alone."""
        from lmmformula.ir.text import formula_text

        return formula_text(self)

    def latex(self) -> str:
        """Return the model in mathematics, a LaTeX `aligned` environment."""
        from lmmformula.ir.latex import latex

        return latex(self)

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"

    def to_dict(self) -> dict[str, Any]:
        """Return the IR as a dict that JSON can hold; `from_dict` is its inverse."""
        from lmmformula.ir.codec import encode

        return encode(self)

    @classmethod
    def from_dict(cls, encoded: dict[str, Any]) -> "ModelIR":
        """Rebuild what `to_dict` made."""
        from lmmformula.ir.codec import decode

        return decode(encoded)

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
