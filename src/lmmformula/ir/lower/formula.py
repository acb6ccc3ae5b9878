"""Formula and prior statements to what a model consists of."""

from collections.abc import Iterator
from itertools import chain

from lmmformula.errors import FormulaError, Span, warn
from lmmformula.formula.ast import Chain, Expr, Formula, Number, Parenthesis, Prefix, Specification
from lmmformula.ir.expand import DOT, expand
from lmmformula.ir.expressions import Apply, Expression, children, depth
from lmmformula.ir.limits import LIMITS
from lmmformula.ir.lower.expressions import FORMULA_OPERATORS, signed_sum
from lmmformula.ir.lower.groups import strip
from lmmformula.ir.lower.priors import lower_priors
from lmmformula.ir.lower.random import RandomReader, holders, holds_random, is_bar, is_random, warn_of_lost
from lmmformula.ir.lower.response import lower_response
from lmmformula.ir.records import FixedTerms, ModelRecord, RandomTerm, Response

Signed = tuple[str, Expr]


def lower_formula(specification: Specification) -> ModelRecord:
    """Give a formula its meaning; an error shows its place in the text."""
    try:
        return _lower(specification)
    except FormulaError as error:
        raise error.located(specification.text) from None


def _lower(specification: Specification) -> ModelRecord:
    text = specification.text
    response = lower_response(specification.formula)
    fixed_items, random = _split(specification.formula, text)
    fixed, offsets = _fixed(fixed_items, response, text)
    return ModelRecord(
        response, fixed, tuple(random), offsets, priors=lower_priors(specification.priors, text), source=text
    )


def _fixed(items: list[Signed], response: Response, text: str) -> tuple[FixedTerms, tuple[Expression, ...]]:
    if not items:
        return FixedTerms(intercept=True, terms=()), ()
    expression = signed_sum(items)
    found = expand(expression, named=response.named)
    dot = _holds_dot(expression)
    if dot and depth(expression) > LIMITS.operations:
        place = Span(expression.span.start, expression.span.start + 1)
        raise FormulaError("a `.` among too many other terms", span=place)
    if not dot:
        warn_of_lost(found, text)
    terms = tuple(term for term in found.terms if not response.is_term(term))
    if len(terms) < len(found.terms) and not dot:
        warn("the response is also on the right, and is dropped there", text=text, span=response.span)
    return FixedTerms(found.intercept, terms, dot, expression if dot else None), found.offsets


def _holds_dot(expression: Expression) -> bool:
    waiting = [expression]
    while waiting:
        found = waiting.pop()
        if found == DOT:
            return True
        if isinstance(found, Apply) and found.function in FORMULA_OPERATORS:
            waiting.extend(children(found))
    return False


def _split(formula: Formula, text: str) -> tuple[list[Signed], list[RandomTerm]]:
    """Part the right-hand side into what it adds to the fixed effects and its random-effects terms."""
    reader = RandomReader(text)
    if isinstance(formula.rhs, Chain) and is_bar(formula.rhs):
        return [("+", Number(1.0))], _unbracketed(formula, formula.rhs, reader)
    fixed: list[Signed] = []
    random: list[RandomTerm] = []
    holding = holders(formula.rhs)
    for sign, item in _items("+", formula.rhs, holding):
        if id(item) not in holding:
            fixed.append((sign, item))
            continue
        if is_random(item):
            random = _combine(random, sign, item, reader)
        else:
            kept, terms = _product(item, reader)
            fixed += [(sign, expr) for expr in kept]
            random += terms
        _check_number(random, item)
    return fixed, random


def _check_number(random: list[RandomTerm], item: Expr) -> None:
    if len(random) > LIMITS.random or sum(len(term.terms) for term in random) > LIMITS.terms:
        raise FormulaError(f"more than {LIMITS.random:,} random-effects terms, or too large ones", span=item.span)


def _items(sign: str, expr: Expr, holding: set[int]) -> Iterator[Signed]:
    """List the summands of a side; brackets around sums that hold random-effects terms are opened."""
    match expr:
        case Chain(operators=operators, operands=operands) if set(operators) <= {"+", "-"}:
            for operator, operand in zip(("+", *operators), operands, strict=True):
                yield from _items(operator if sign == "+" else _opposite(operator), operand, holding)
        case Prefix(operator="+" | "-" as operator, operand=operand) if id(operand) in holding:
            yield from _items(operator if sign == "+" else _opposite(operator), operand, holding)
        case Parenthesis(inner=inner) if id(inner) in holding and not is_random(expr):
            yield from _items(sign, inner, holding)
        case _:
            yield sign, expr


def _opposite(sign: str) -> str:
    return "-" if sign == "+" else "+"


def _combine(random: list[RandomTerm], sign: str, item: Expr, reader: RandomReader) -> list[RandomTerm]:
    """Add random-effects terms, or remove those that are there; lme4 reads any other `- (1 | g)` as `+ (1 | g)`."""
    found = reader.read(item)
    if sign == "-":
        if all(term in random for term in found):
            return [term for term in random if term not in found]
        warn("`-` before a random-effects term is read as `+`, as lme4 does", text=reader.text, span=item.span)
    return random + found


def _unbracketed(formula: Formula, rhs: Chain, reader: RandomReader) -> list[RandomTerm]:
    """Read `y ~ x + 1 | g` as lme4 does, and say so."""
    lhs = rhs.operands[0]
    left, right = (reader.source(operand) for operand in (lhs, rhs.operands[-1]))
    if holds_random(lhs) or len(rhs.operands) > 2:
        raise FormulaError(
            "a random-effects term without brackets", span=rhs.span, hint="did you mean y ~ x + (1 | g) + (1 | h)?"
        )
    response = reader.source(formula.lhs) if formula.lhs else ""
    instead = f"did you mean {response} ~ {_without_number(lhs, reader)} + (1 | {right})?"
    try:
        terms = reader.read(rhs)
    except FormulaError as error:
        if error.span.start < rhs.operands[-1].span.start:  # what is wrong would be right outside the bar
            raise FormulaError(UNBRACKETED, span=rhs.span, hint=instead) from None
        raise
    warn(
        UNBRACKETED,
        text=reader.text,
        span=rhs.span,
        hint=f"read as {response} ~ 1 + ({left} | {right}), as lme4 does; {instead}",
    )
    return terms


UNBRACKETED = "a random-effects term without brackets takes in all that stands on the left of its bar"


def _without_number(lhs: Expr, reader: RandomReader) -> str:
    """Leave out the `1` that was meant for the bar: `x + 1` is x."""
    match lhs:
        case Chain(operators=(*_, "+"), operands=(*fixed, Number())) if fixed:
            return reader.text[fixed[0].span.start : fixed[-1].span.end]
        case _:
            return reader.source(lhs)


def _product(item: Expr, reader: RandomReader) -> tuple[list[Expr], list[RandomTerm]]:
    """Read `x * (1 | g)` as lme4 does, `x + (1 | g)`, and say so."""
    match strip(item):
        case Chain(operators=operators, operands=operands) if set(operators) <= {"*", "/", ":"}:
            random = [operand for operand in operands if is_random(operand)]
            fixed = [operand for operand in operands if not is_random(operand)]
            if len(fixed) <= 1 and not any(map(holds_random, fixed)):
                message = "a random-effects term can only be added; read as `+`, as lme4 does"
                warn(message, text=reader.text, span=item.span)
                return fixed, list(chain.from_iterable(map(reader.read, random)))
        case Chain(operators=("&" | "&&", *_), operands=operands):
            left, right = (f"({reader.source(operand)})" for operand in (operands[0], operands[-1]))
            raise FormulaError(
                f"`&` binds less than `+`: this is {left} & {right}", span=item.span,
                hint="an interaction is written f1:f2, and a logical column I(f1 & f2)",
            )  # fmt: skip
    raise FormulaError(
        "a random-effects term can only be added", span=item.span, hint="write it outside: ... + (1 | g)"
    )
