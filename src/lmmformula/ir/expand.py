"""One side of a formula, as an expression, to its terms: R's terms.formula."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lmmformula.errors import NOWHERE, FormulaError, Span
from lmmformula.ir.algebra import Products, too_many
from lmmformula.ir.expressions import Apply, Constant, Expression, Variable, label
from lmmformula.ir.functions import FUNCTIONS
from lmmformula.ir.limits import LIMITS
from lmmformula.ir.terms import Term

DOT = Apply(".", ())
"""All columns of the data that the response doesn't read."""

PRODUCT_OPERATORS = frozenset(("*", "/", ":", "%in%"))


@dataclass(frozen=True, slots=True)
class Expansion:
    """
    What one side of a formula expands to.

    intercept : whether there is one
    terms : the others, by order and within it by appearance
    offsets : the arguments of the offset() terms
    lost : operations that change nothing, though they look like arithmetic: `x^2`, `x*x`, `1 - exp(x)`; and `a & b`
    """

    intercept: bool
    terms: tuple[Term, ...]
    offsets: tuple[Expression, ...] = ()
    lost: tuple[Apply, ...] = ()


def expand(expression: Expression, columns: Sequence[Variable] = (), named: Sequence[Expression] = ()) -> Expansion:
    """
    Expand operators into terms, as R's terms.formula does.

    columns : what `.` stands for
    named : what the formula names before this side, its response; so `y ~ x:y` has the term y:x

    >>> x, f = Variable("x"), Variable("f")
    >>> [term.label for term in expand(Apply("*", (Apply("^", (Apply("+", (f, x)), Constant(2.0))), x))).terms]
    ['f', 'x', 'f:x']
    """
    expander = _Expander(columns, variables=list(named), numbers={variable: k for k, variable in enumerate(named)})
    products = expander.products(expression)
    terms = sorted((expander.term(product) for product in products.items), key=lambda term: term.order)
    kept: list[Term] = []
    offsets: list[Expression] = []
    for term in terms:
        match [factor for factor in term.factors if isinstance(factor, Apply) and factor.function == "offset"]:
            case []:
                kept.append(term)
            case [offset] if term.order == 1:
                offsets += offset.arguments
            case _:
                hint = "add it: + offset(...)"
                raise FormulaError("offset() can't be part of an interaction", span=term.span, hint=hint)
    return Expansion(expander.intercept, tuple(kept), tuple(offsets), tuple(expander.lost))


@dataclass(slots=True)
class _Expander:
    """
    The state of one expansion, as R keeps it: variables are numbered as they appear, the last 0 or 1 rules.

    columns : what `.` stands for
    adding : False inside an odd number of subtractions, where 1 removes the intercept and 0 restores it
    formed : number of products formed so far
    lost : as in `Expansion`
    """

    columns: Sequence[Variable]
    intercept: bool = True
    adding: bool = True
    formed: int = 0
    numbers: dict[Expression, int] = field(default_factory=dict)
    variables: list[Expression] = field(default_factory=list)
    lost: list[Apply] = field(default_factory=list)

    def term(self, product: frozenset[int]) -> Term:
        """Write a product of numbers as a term; its factors stand in the order of the numbers."""
        factors = tuple(self.variables[number] for number in sorted(product))
        span = NOWHERE
        for factor in factors:
            span |= factor.span
        return Term(factors, span)

    def products(self, expression: Expression) -> Products[int]:
        """Expand one expression."""
        match expression:
            case Constant():
                self._number(expression)
                return Products()
            case Apply(function="." | "+" | "-"):
                return self._sum(expression)
            case Apply(function="*" | "/" | ":" | "%in%", arguments=(_, _)):
                return self._chain(expression)
            case Apply(function="^", arguments=(base, exponent)):
                raised, power = self.products(base), _power_of(exponent)
                if len(raised.items) == 1 and power > 1:
                    self.lost.append(expression)
                return self._power(raised, power, expression.span)
            case Apply(function="&", arguments=(Variable(), Variable())):
                self.lost.append(expression)
                return Products.of(self._numbered(expression))
            case _:
                return Products.of(self._numbered(expression))

    def _numbered(self, variable: Expression) -> int:
        """Give a variable its number, at its first appearance."""
        number = self.numbers.setdefault(variable, len(self.variables))
        if number == len(self.variables):
            _check_is_column(variable)
            self.variables.append(variable)
        return number

    def _number(self, constant: Constant) -> None:
        """1 stands for the intercept, 0 for its absence, and no other constant for anything."""
        match constant.value:
            case bool() | str() | None:
                text = constant.value if isinstance(constant.value, str) else ""
                hint = f"a column is named without quotes: {text}" if text and text.isidentifier() else ""
                raise FormulaError(f"{label(constant)} can't be a term", span=constant.span, hint=hint)
            case 0 | 1 as value:
                self.intercept = (value == 1) == self.adding
            case _:
                raise FormulaError(
                    f"the number {label(constant)} can't be a term", span=constant.span,
                    hint="only 0 and 1, for the intercept, can; arithmetic goes inside I(), as in I(2 * x)",
                )  # fmt: skip

    def _sum(self, expression: Expression) -> Products[int]:
        """Add and remove along a sum, however long it is."""
        total: dict[frozenset[int], None] = {}
        for adding, summand in reversed(list(_summands(expression))):
            if adding:
                added = self._dot() if summand == DOT else self.products(summand)
                self._spend(len(added.items), summand.span)
                total.update(dict.fromkeys(added.items))
            else:
                self.adding = not self.adding
                taken = (self._dot() if summand == DOT else self.products(summand)).items
                if taken and not any(product in total for product in taken):
                    self.lost.append(Apply("-", (summand,), span=summand.span))
                for product in taken:
                    total.pop(product, None)
                self.adding = not self.adding
        return Products.distinct(total)

    def _dot(self) -> Products[int]:
        return Products.distinct(frozenset((self._numbered(column),)) for column in self.columns)

    def _chain(self, expression: Expression) -> Products[int]:
        """Multiply along a chain, from the left, however long it is."""
        steps: list[Apply] = []
        while isinstance(expression, Apply) and expression.function in PRODUCT_OPERATORS:
            steps.append(expression)
            expression = expression.arguments[0]
        total = self.products(expression)
        for step in reversed(steps):
            right = self.products(step.arguments[1])
            if len(right.items) == 1 and right == total:
                self.lost.append(step)
            total = self._product(step.function, total, right, step.span)
        return total

    def _product(self, operator: str, left: Products[int], right: Products[int], span: Span) -> Products[int]:
        self._spend(len(left.items) * len(right.items), span)
        try:
            match operator:
                case "*":
                    return left * right
                case "/":
                    return left / right
                case ":":
                    return left.interact(right)
                case _:
                    return left.inside(right)
        except FormulaError as error:
            error.span = span
            raise

    def _power(self, base: Products[int], exponent: int, span: Span) -> Products[int]:
        """All products of up to `exponent` terms of the base; done as soon as another factor adds nothing."""
        power = base
        for _ in range(exponent - 1):
            raised = self._product(":", power, base, span)
            if len(raised.items) == len(power.items):
                break
            power = raised
        return power

    def _spend(self, products: int, span: Span) -> None:
        self.formed += products
        if self.formed > LIMITS.products:
            error = too_many()
            error.span = span
            raise error


def _summands(expression: Expression) -> Iterator[tuple[bool, Expression]]:
    """List what a sum adds (True) and subtracts, last one first."""
    rest: Expression | None = expression
    while rest is not None:
        match rest:
            case Apply(function="+", arguments=(first, *others)):
                yield from ((True, other) for other in reversed(others))
                rest = first
            case Apply(function="-", arguments=(first, subtracted)):
                yield False, subtracted
                rest = first
            case Apply(function="-", arguments=(subtracted,)):
                yield False, subtracted
                rest = None
            case _:
                yield True, rest
                rest = None


def _power_of(exponent: Expression) -> int:
    match exponent:
        case Constant(value=float(value) | int(value)) if value >= 1 and value == value // 1:
            return int(min(value, LIMITS.products))
        case _:
            raise FormulaError(
                f"`{label(exponent)}` can't be a power of terms", span=exponent.span,
                hint="a whole number can, as in (a + b)^2; the square of a column is I(x^2)",
            )  # fmt: skip


def _check_is_column(variable: Expression) -> None:
    """Refuse calls that make constants, not columns."""
    if isinstance(variable, Apply):
        found = FUNCTIONS.get(variable.function)
        if found is not None and found.kind in ("value", "contrast"):
            raise FormulaError(f"{variable.function}() makes no column, so it can't be a term", span=variable.span)
