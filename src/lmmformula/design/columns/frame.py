"""The model frame: each expression of a model evaluated on a table, once; what is learned on the way is kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from lmmformula.arrays import BoolArray
from lmmformula.data.table import Table
from lmmformula.design.coding import factors
from lmmformula.design.coding.contrasts import Contrast, contrast_by_name, contrast_of_size
from lmmformula.design.coding.factors import MAKE_LEVELS, State
from lmmformula.design.columns import transforms
from lmmformula.design.columns.evaluated import (
    Categorical,
    Numbers,
    Value,
    column_of_numbers,
    elementwise,
    missing,
    of_column,
    recode,
    whole_number,
)
from lmmformula.design.columns.functions import FUNCTIONS, OPERATORS
from lmmformula.design.schema import ColumnSchema
from lmmformula.errors import NOWHERE, DataError, FormulaError, LmmFormulaError, Span, printable
from lmmformula.ir.expressions import Apply, Constant, Expression, Variable, label, variables
from lmmformula.ir.functions import CONTRASTS, REGISTERED, bound

STATEFUL: dict[str, Callable[..., Value]] = {
    "scale": transforms.scale, "center": transforms.center, "poly": transforms.poly,
    "bs": transforms.bs, "ns": transforms.ns, "cr": transforms.cr, "cc": transforms.cc,
    "factor": factors.make_factor, "as.factor": factors.as_factor,
    "ordered": factors.make_ordered, "as.ordered": factors.make_ordered,
    "relevel": factors.relevel, "cut": factors.cut, "C": factors.with_contrast,
}  # fmt: skip
"""Functions that take their state before their arguments."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """
    A table through the eyes of one model.

    known : what the columns were when the model was built, for new data; None while the model is being built
    states : what stateful functions have learned, by the text of the call; filled while the model is being built
    columns : the columns read so far
    values : the expressions evaluated so far
    """

    table: Table
    source: str = ""
    known: Mapping[str, ColumnSchema] | None = None
    states: dict[str, State] = field(default_factory=dict)
    columns: dict[str, ColumnSchema] = field(default_factory=dict)
    values: dict[Expression, Value] = field(default_factory=dict)

    def evaluate(self, expression: Expression) -> Value:
        """Evaluate an expression on all rows; errors carry its place."""
        if expression in self.values:
            return self.values[expression]
        try:
            value = self._evaluate(expression)
        except LmmFormulaError as error:
            raise at(error, expression.span, self.source) from None
        self.values[expression] = value
        return value

    def column(self, expression: Expression) -> Numbers | Categorical:
        """Evaluate an expression that must give one value per row."""
        match self.evaluate(expression):
            case Numbers() | Categorical() as value:
                return value
            case _:
                raise at(
                    DataError(f"`{label(expression)}` is a constant, not a column of the data"),
                    expression.span,
                    self.source,
                )

    def _evaluate(self, expression: Expression) -> Value:
        match expression:
            case Constant(value=value):
                return value
            case Variable(name=name):
                return self._read(name)
            case Apply(function=function, arguments=arguments) if function in OPERATORS:
                return OPERATORS[function](*map(self.evaluate, arguments))
            case Apply(function=function):
                return self._call(expression, function)

    def _read(self, name: str) -> Numbers | Categorical:
        """Read a column; one that was a factor is one in new data too, with the old levels first."""
        before = None if self.known is None else self.known.get(name)
        if before is not None and before.levels is not None:
            new = self.table.factor(name)
            given = Categorical(new.codes, new.levels, before.ordered, before.kind)
            known, unseen = recode(given, before.levels)
            return recode(given, (*before.levels, *unseen))[0] if unseen else known
        value = of_column(self.table[name])
        if before is not None and isinstance(value, Categorical):
            if value.kind != "logical":
                kind = "text" if value.kind == "string" else f"a {value.kind}"
                message = f"column '{printable(name)}' was numeric in the data of the model, and is {kind} here"
                raise DataError(message, hint="give numbers")
            return Numbers(column_of_numbers(value))
        self.columns[name] = _column_schema(name, value)
        return value

    def _call(self, call: Apply, function: str) -> Value:
        if function in CONTRASTS:
            raise FormulaError(f"`{function}` has a meaning only inside C()", hint=f"for example C(f, {function})")
        given = {name: self._argument(function, argument) for name, argument in bound(call).items()}
        rest = [value for name, value in given.items() if name.startswith("...")]
        named = {name.replace(".", "_"): value for name, value in given.items() if not name.startswith("...")}
        if function in STATEFUL:
            first = [named.pop("x")] if rest else []
            return STATEFUL[function](self.states.setdefault(label(call), {}), *first, *rest, **named)
        if function in REGISTERED:
            return elementwise(REGISTERED[function], *rest, *named.values())
        return FUNCTIONS[function](*rest, **named)

    def _argument(self, function: str, argument: Expression) -> Value:
        match argument:
            case Apply(function=name) if function == "C" and name in CONTRASTS:
                return self._contrast(argument)
            case Constant(value=str(name), text=text) if function == "C" and name == text:
                return replace(contrast_by_name(name), numbered=True)  # a function, not its name in quotes
            case Variable(name=name) if function in MAKE_LEVELS and isinstance(self.evaluate(argument), Numbers):
                return of_column(self.table.factor(name))  # of a whole number's digits, not of the nearest float
            case _:
                return self.evaluate(argument)

    def _contrast(self, call: Apply) -> Contrast:
        """Make the contrasts that a call such as contr.treatment(3, base = 2) stands for."""
        given = {name: self.evaluate(argument) for name, argument in bound(call).items()}
        unknown = given.keys() - {"n", "base"}
        if unknown:
            raise at(DataError(f"`{min(unknown)}` of {call.function}() is not supported"), call.span, self.source)
        base = whole_number(given["base"]) if "base" in given else None
        return contrast_of_size(call.function, whole_number(given["n"]), base)

    def missing_rows(self, expression: Expression) -> BoolArray | None:
        """Return the rows in which an expression is missing, None if there is none."""
        return missing(self.evaluate(expression))

    def invented(self, expression: Expression) -> BoolArray | None:
        """Return the rows in which an expression is missing although none of its columns is: log(-1)."""
        found = self.missing_rows(expression)
        if found is None or isinstance(expression, Variable):
            return None
        for variable in variables(expression):
            columns_missing = self.missing_rows(variable)
            if columns_missing is not None:
                found = found & ~columns_missing
        return found if found.any() else None


def _column_schema(name: str, value: Numbers | Categorical) -> ColumnSchema:
    match value:
        case Categorical(levels=levels, ordered=ordered, kind=kind):
            return ColumnSchema(name, levels, ordered, kind)
        case Numbers():
            return ColumnSchema(name)


def at(error: LmmFormulaError, span: Span, source: str) -> LmmFormulaError:
    """Fill in the place of an error, where whoever raised it did not know it."""
    if error.span == NOWHERE:
        error.span = span
    return error.located(source)
