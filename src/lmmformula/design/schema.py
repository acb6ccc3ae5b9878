"""What each variable of a model turned out to be, and all that is needed to make the same columns of new data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, get_args

from lmmformula.conform import conform
from lmmformula.data.columns import Kind
from lmmformula.design.coding.contrasts import Coding, Contrast, ContrastKind, full_coding
from lmmformula.design.coding.factors import State
from lmmformula.errors import printable


@dataclass(frozen=True, slots=True)
class ColumnSchema:
    """
    A column of the data that the model reads.

    levels : its levels, those not used included; None if it is numeric
    """

    name: str
    levels: tuple[str, ...] | None = None
    ordered: bool = False
    kind: Kind = "factor"


@dataclass(frozen=True, slots=True)
class NumericVariable:
    """
    An expression that gives numbers.

    suffixes : (k,) what names its columns behind its label; empty for one column
    """

    label: str
    suffixes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (
            f"{self.label} (numeric)" if not self.suffixes else f"{self.label} (numeric, {len(self.suffixes)} columns)"
        )


@dataclass(frozen=True, slots=True)
class FactorVariable:
    """
    An expression that gives levels.

    levels : the levels in the rows used
    fixed, random : contrasts by which X and the random terms code it
    """

    label: str
    levels: tuple[str, ...]
    ordered: bool
    kind: Kind
    fixed: Contrast
    random: Contrast

    def coding(self, *, full: bool, random: bool) -> Coding:
        """Return the columns it contributes: one per level, or its contrasts."""
        if full:
            return full_coding(self.levels)
        return (self.random if random else self.fixed).coding(self.levels)

    def __str__(self) -> str:
        what = "ordered factor" if self.ordered else "logical" if self.kind == "logical" else "factor"
        return f"{self.label} ({what}, {len(self.levels)} levels, {self.fixed.kind})"


VariableSchema = NumericVariable | FactorVariable


@dataclass(frozen=True, slots=True)
class TermSchema:
    """
    A product of variables.

    variables : labels of its variables, in order
    full : which of them are factors coded by all their levels (R's rule); False for numbers and contrasts
    columns : names of its columns
    """

    variables: tuple[str, ...]
    full: tuple[bool, ...]
    columns: tuple[str, ...]

    @property
    def label(self) -> str:
        """The term as R writes it."""
        return ":".join(self.variables) or "(Intercept)"


@dataclass(frozen=True, slots=True)
class RandomSchema:
    """
    One random term.

    group : name of the grouping factor
    variables : the columns of the data whose interaction it is
    levels : (J,) its levels in the rows used
    terms : its terms, the intercept first if there is one
    """

    group: str
    variables: tuple[str, ...]
    levels: tuple[str, ...]
    terms: tuple[TermSchema, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """(k,) names of the coefficients."""
        return tuple(name for term in self.terms for name in term.columns)


@dataclass(frozen=True, slots=True)
class Schema:
    """
    What each variable is, and what its columns are: with the IR, enough to build the same columns from new data.

    response : label of the response
    columns : the columns of the data that the model reads, by name
    variables : the variables of the terms, by label
    states : what each call of a function such as poly or scale has learned, by its text
    fixed : the fixed terms, the intercept first if there is one
    random : the random terms, in the order of `Design.random_terms`
    order : number of each of them in the formula
    aliased : positions of the columns of X that were dropped because they depend on others
    offset : the column named by the argument `offset`
    """

    response: str
    columns: dict[str, ColumnSchema] = field(default_factory=dict)
    variables: dict[str, VariableSchema] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    fixed: tuple[TermSchema, ...] = ()
    random: tuple[RandomSchema, ...] = ()
    order: tuple[int, ...] = ()
    aliased: tuple[int, ...] = ()
    offset: str | None = None

    @property
    def fixed_columns(self) -> tuple[str, ...]:
        """Names of all columns of X, the dropped ones included."""
        return tuple(name for term in self.fixed for name in term.columns)

    @property
    def kept(self) -> tuple[int, ...]:
        """Positions of the columns of X that were not dropped."""
        aliased = frozenset(self.aliased)
        return tuple(j for j in range(len(self.fixed_columns)) if j not in aliased)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Names of the columns of X that were dropped."""
        columns = self.fixed_columns
        return tuple(columns[j] for j in self.aliased)

    def __str__(self) -> str:
        lines = [f"response: {self.response}"]
        lines += [f"variable: {variable}" for variable in self.variables.values()]
        lines += [_term_line("fixed", term) for term in self.fixed]
        for random in self.random:
            lines.append(f"group: {random.group} (factor, {len(random.levels)} levels)")
            lines += [_term_line("random", term) for term in random.terms]
        lines += [f"dropped: {name}" for name in self.dropped]
        return "\n".join(map(printable, lines))

    def to_dict(self) -> dict[str, Any]:
        """Return the schema in JSON's types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Schema":
        """Return the schema that `to_dict` (or JSON made of it) describes; ValueError for anything else."""
        conform(data, LAYOUT, "schema")
        return cls(
            response=data["response"],
            columns={name: _column(column) for name, column in data["columns"].items()},
            variables={label: _variable(variable) for label, variable in data["variables"].items()},
            states=dict(data["states"]),
            fixed=tuple(map(_term, data["fixed"])),
            random=tuple(map(_random, data["random"])),
            order=tuple(data["order"]),
            aliased=tuple(data["aliased"]),
            offset=data["offset"],
        )


_KINDS = set(get_args(Kind))
_CONTRAST = {
    "kind": set(get_args(ContrastKind)), "base": (int, None), "how_many": (int, None), "matrix": [[float]],
    "names": [str], "random": bool, "numbered?": bool,
}  # fmt: skip
_FACTOR = {
    "label": str, "levels": [str], "ordered": bool, "kind": _KINDS, "fixed": _CONTRAST, "random": _CONTRAST,
}  # fmt: skip
_TERM = {"variables": [str], "full": [bool], "columns": [str]}
LAYOUT = {
    "response": str,
    "columns": {str: {"name": str, "levels": ([str], None), "ordered": bool, "kind": _KINDS}},
    "variables": {str: ({"label": str, "suffixes": [str]}, _FACTOR)},
    "states": {str: dict},
    "fixed": [_TERM],
    "random": [{"group": str, "variables": [str], "levels": [str], "terms": [_TERM]}],
    "order": [int],
    "aliased": [int],
    "offset": (str, None),
}
"""What JSON holds of a schema."""


def _term_line(part: str, term: TermSchema) -> str:
    return f"{part}: {term.label} -> {', '.join(term.columns)}"


def _column(data: Mapping[str, Any]) -> ColumnSchema:
    levels = data["levels"]
    return ColumnSchema(data["name"], None if levels is None else tuple(levels), data["ordered"], data["kind"])


def _variable(data: Mapping[str, Any]) -> VariableSchema:
    if "suffixes" in data:
        return NumericVariable(data["label"], tuple(data["suffixes"]))
    contrasts = {part: _contrast(data[part]) for part in ("fixed", "random")}
    return FactorVariable(data["label"], tuple(data["levels"]), data["ordered"], data["kind"], **contrasts)


def _contrast(data: Mapping[str, Any]) -> Contrast:
    return Contrast(
        data["kind"], data["base"], data["how_many"], tuple(map(tuple, data["matrix"])), tuple(data["names"]),
        data["random"], data.get("numbered", False),
    )  # fmt: skip


def _term(data: Mapping[str, Any]) -> TermSchema:
    return TermSchema(tuple(data["variables"]), tuple(data["full"]), tuple(data["columns"]))


def _random(data: Mapping[str, Any]) -> RandomSchema:
    return RandomSchema(
        data["group"], tuple(data["variables"]), tuple(data["levels"]), tuple(map(_term, data["terms"]))
    )
