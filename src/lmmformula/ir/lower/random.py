"""Random-effects terms: what stands in a bar, a double bar, or a covariance structure's call."""

from dataclasses import dataclass

from lmmformula.covariances.structure import Covariance
from lmmformula.covariances.table import STRUCTURES
from lmmformula.covariances.unstructured import UNSTRUCTURED
from lmmformula.errors import FormulaError, warn
from lmmformula.formula.ast import Argument, Call, Chain, Expr, Name, Number, Prefix, children, walk
from lmmformula.ir.expand import Expansion, expand
from lmmformula.ir.expressions import label
from lmmformula.ir.functions import FUNCTIONS, REGISTERED
from lmmformula.ir.limits import LIMITS
from lmmformula.ir.lower.elsewhere import LATER, OTHERWISE
from lmmformula.ir.lower.expressions import terms_expression
from lmmformula.ir.lower.groups import grouping_factors, strip
from lmmformula.ir.records import RandomTerm

BARS = frozenset(("|", "||"))


def is_bar(expr: Expr) -> bool:
    """Tell whether this is `lhs | group`, in as many brackets as you like."""
    inner = strip(expr)
    return isinstance(inner, Chain) and set(inner.operators) <= BARS


def is_random(expr: Expr) -> bool:
    """Tell whether this is a random-effects term, or was meant to be one."""
    inner = strip(expr)
    if isinstance(inner, Call):
        known = (FUNCTIONS.keys() | REGISTERED.keys() | {"offset"}) - LATER
        barred = bool(inner.arguments) and is_bar(inner.arguments[0].value)
        return inner.function in STRUCTURES or (barred and inner.function not in known)
    return is_bar(inner)


def holds_random(expr: Expr) -> bool:
    """Tell whether there is a random-effects term anywhere outside the calls of an expression."""
    return id(expr) in holders(expr)


def holders(expr: Expr) -> set[int]:
    """Find, in one walk, the nodes (by `id`) with a random-effects term in them or below, outside calls."""
    found: set[int] = set()

    def visit(node: Expr) -> bool:
        below = [] if isinstance(node, Call) else [visit(child) for child in children(node)]
        if any(below) or is_random(node):
            found.add(id(node))
            return True
        return False

    visit(expr)
    return found


@dataclass(frozen=True, slots=True)
class RandomReader:
    """
    Reads random-effects terms.

    text : what was typed, for messages
    """

    text: str

    def read(self, expr: Expr) -> list[RandomTerm]:
        """Read one term as it is typed; `/` and `||` make several of it."""
        match strip(expr):
            case Call() as call:
                return self._structured(call)
            case Chain(operators=("|" | "||" as bar,), operands=(lhs, group)):
                return self._bar(lhs, bar, group, UNSTRUCTURED)
            case other:
                raise FormulaError(
                    "two bars in one random-effects term", span=other.span,
                    hint="one term for each grouping factor: (1 | g) + (1 | h); brms' (x |ID| g) is not supported yet",
                )  # fmt: skip

    def _structured(self, call: Call) -> list[RandomTerm]:
        """Read `cs(lhs | group, hom = TRUE)`."""
        if call.package:
            raise FormulaError(f"{call.function}() is written without a package", span=call.name_span)
        if call.function not in STRUCTURES:
            raise self._no_structure(call)
        match call.arguments:
            case (Argument(name=None, value=value), *options) if is_bar(value):
                bar = strip(value)
            case _:
                raise FormulaError(
                    f"{call.function}() takes a random-effects term", span=call.span,
                    hint=f"as in {call.function}(x | group)",
                )  # fmt: skip
        match bar:
            case Chain(operators=("|",), operands=(lhs, group)):
                covariance = self._covariance(call, options)
            case Chain(operators=("||",), operands=(lhs, group)):
                raise FormulaError(
                    f"`||` and {call.function}() can't be combined", span=bar.span,
                    hint=f"did you mean {call.function}({self.source(lhs)} | {self.source(group)})?",
                )  # fmt: skip
            case _:
                return self.read(bar)
        nested = strip(group)
        if options and isinstance(nested, Chain) and "/" in nested.operators:
            raise FormulaError(
                "`/` can't be combined with `hom`", span=group.span,
                hint="write one term for each grouping factor: a and b:a in place of a/b",
            )  # fmt: skip
        return self._bar(lhs, "|", group, covariance)

    def _no_structure(self, call: Call) -> FormulaError:
        """Say which structure there is instead, or that there is none yet."""
        name, brackets = call.function, self.text[call.name_span.end : call.span.end].strip()
        there = f"there are {', '.join(STRUCTURES)}"
        if name in OTHERWISE:
            left, group = self._sides(call)
            hint = f"did you mean {OTHERWISE[name].format(left=left, group=group)}?"
            return FormulaError(f"there is no covariance structure `{name}`", span=call.name_span, hint=hint)
        if name in LATER:
            return FormulaError(
                f"the covariance structure `{name}` is not supported yet", span=call.name_span, hint=there
            )
        hint = f"{there}; or did you mean {name} + {brackets}?"
        return FormulaError(f"there is no covariance structure `{name}`", span=call.name_span, hint=hint)

    def _sides(self, call: Call) -> tuple[str, str]:
        """Return what was typed before and behind the bar of a structure."""
        match strip(call.arguments[0].value):
            case Chain(operands=(left, *_, group)):
                return self.source(left), self.source(group)
            case other:
                return "x", self.source(other)

    def _covariance(self, call: Call, options: list[Argument]) -> Covariance:
        """Read the one option that covariance structures have."""
        hom: bool | None = None
        for option in options:
            match option:
                case Argument(name="hom", value=Name(name="TRUE" | "FALSE" as value, quoted=False)) if hom is None:
                    hom = value == "TRUE"
                case Argument(name="hom"):
                    raise FormulaError("`hom` must be TRUE or FALSE, once", span=option.span)
                case Argument(name="het"):
                    raise FormulaError("there is no argument `het`", span=option.span, hint="did you mean hom = FALSE?")
                case _:
                    raise FormulaError(
                        f"{call.function}() has no such argument", span=option.span, hint="it has `hom`: TRUE or FALSE"
                    )
        structure = STRUCTURES[call.function]
        if hom is not None and not structure.has_homogeneous:
            message = f"{call.function}() has no common standard deviation: `hom` changes nothing"
            warn(message, text=self.text, span=call.span)
            hom = None
        return structure(structure.homogeneous_by_default if hom is None else hom)

    def _bar(self, lhs: Expr, bar: str, group: Expr, covariance: Covariance) -> list[RandomTerm]:
        self._check_left(lhs, group)
        found = expand(terms_expression(lhs))
        warn_of_lost(found, self.text)
        if found.offsets:
            raise FormulaError(
                "offset() can't vary between groups", span=lhs.span, hint="add it outside: + offset(...)"
            )
        if not found.intercept and not found.terms:
            raise FormulaError(
                "nothing varies between the groups", span=lhs.span | group.span, hint="(1 | g) lets the intercept vary"
            )
        parts = [(found.intercept, found.terms)]
        if bar == "||":
            if not found.terms:
                raise FormulaError(
                    "`||` with nothing but the intercept", span=lhs.span | group.span,
                    hint=f"did you mean (1 | {self.source(group)})?",
                )  # fmt: skip
            parts = [*([(True, ())] if found.intercept else []), *((False, (term,)) for term in found.terms)]
        groups = grouping_factors(group, self.source(lhs))
        if len(parts) * len(groups) > LIMITS.random:
            raise FormulaError(f"more than {LIMITS.random:,} random-effects terms", span=lhs.span | group.span)
        return [
            RandomTerm(*part, variables, covariance, lhs.span | group.span, name if "(" in name else "", bar == "||")
            for part in parts
            for variables, name in groups
        ]

    def _check_left(self, lhs: Expr, group: Expr) -> None:
        """Refuse bars inside the bar, a dot, and sides that were swapped."""
        if holds_random(lhs):
            raise FormulaError(
                "a random-effects term inside another", span=lhs.span, hint="add it outside the brackets"
            )
        dot = next((e for e, _ in walk(lhs) if isinstance(e, Name) and e.name == "." and not e.quoted), None)
        if dot is not None:
            raise FormulaError("`.` can't vary between groups", span=dot.span, hint="name the columns that do")
        if isinstance(strip(lhs), Name) and _holds_number(strip(group)):
            raise FormulaError(
                "a number can't be a grouping factor", span=group.span,
                hint=f"did you mean ({self.source(group)} | {self.source(lhs)})?",
            )  # fmt: skip

    def source(self, expr: Expr) -> str:
        """Return what was typed for an expression."""
        return self.text[expr.span.start : expr.span.end]


def _holds_number(group: Expr) -> bool:
    """Tell whether this reads like what stands before a bar: `1`, `0 + x`."""
    match group:
        case Number() | Prefix(operand=Number()):
            return True
        case Chain(operands=operands):
            return any(map(_holds_number, operands))
        case _:
            return False


def warn_of_lost(found: Expansion, text: str) -> None:
    """Warn of arithmetic that means something else between terms, where R leaves it out without a word."""
    for expr in found.lost:
        names = [label(argument) for argument in expr.arguments]
        match expr.function:
            case "&":
                message, hint = f"`{' & '.join(names)}` is one column, true or false", ":".join(names)
                hint = f"an interaction is {hint}; I({' & '.join(names)}) says that you mean the column"
            case "-":
                message = f"`- {names[0]}` takes away a term that is not there"
                hint = "a difference of columns goes inside I(), as in I(x - z)"
            case operator:
                message = f"outside I(), `{label(expr)}` means `{names[0]}`"
                hint = f"did you mean I({label(expr)})?" if operator != ":" else ""
        warn(message, text=text, span=expr.span, hint=hint)
