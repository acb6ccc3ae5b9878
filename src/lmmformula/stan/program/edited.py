"""A program that a user has edited: what its text declares, and whether the model can feed it and read it back."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lmmformula.arrays import AnyArray
from lmmformula.errors import EngineError, Span, printable
from lmmformula.stan.draws import Draws
from lmmformula.stan.generate import StanProgram
from lmmformula.stan.program.record import EARLIEST, SUM_TO_ZERO
from lmmformula.stan.program.variables import Parameters

BLOCK = re.compile(
    r"\b(functions|data|transformed\s+data|parameters|transformed\s+parameters|model|generated\s+quantities)\s*\{"
)
TYPE = re.compile(
    r"(array|int|real|complex|vector|row_vector|matrix|ordered|positive_ordered|simplex|unit_vector|sum_to_zero_vector"
    r"|sum_to_zero_matrix|cholesky_factor_corr|cholesky_factor_cov|corr_matrix|cov_matrix|column_stochastic_matrix"
    r"|row_stochastic_matrix|complex_vector|complex_row_vector|complex_matrix|tuple)\b"
)
IGNORED = re.compile(r'//[^\n]*|/\*.*?\*/|"[^"\n]*"', re.DOTALL)
OPENING, CLOSING = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class Declared:
    """
    A variable that a program declares.

    type : with its bounds and sizes, without blanks
    span : where its name stands in the text
    """

    type: str
    span: Span


def declarations(code: str) -> dict[str, dict[str, Declared]]:
    """
    List what each block of a program declares at its top.

    >>> found = declarations("data { int N; array[N] int<lower=0> y; } model { real z; { real q; } }")
    >>> {block: {name: own.type for name, own in names.items()} for block, names in found.items()}
    {'data': {'N': 'int', 'y': 'array[N]int<lower=0>'}, 'model': {'z': 'real'}}
    """
    text = _bare(code)
    found: dict[str, dict[str, Declared]] = {}
    place = 0
    while block := BLOCK.search(text, place):
        end = _closing(text, block.end() - 1)
        found[" ".join(block[1].split())] = dict(_declared(text, block.end(), end))
        place = end
    return found


def edited(program: StanProgram, code: str | PathLike[str], data: Mapping[str, Any] | None = None) -> StanProgram:
    """
    Put an edited text in the place of a program's own.

    code : the text, or the path of a file that ends in .stan
    data : further entries of its data block, or others than the program's

    Raises
    ------
    EngineError
        The text wants data that there are not, or lacks a variable from which the model's quantities are read.
    """
    text = _read(code)
    if not isinstance(data, Mapping | None):
        raise EngineError(f"data is a mapping of names to numbers, not a {type(data).__name__}")
    given = program.data | {name: _array(name, values) for name, values in (data or {}).items()}
    if "#include" not in text:
        _require_data(text, declarations(text).get("data", {}), given)
        _require_outputs(set(re.findall(r"\w+", _bare(text))), program.parameters)
    return replace(program, code=text, data=given, edited=True)


def same_parameters(program: StanProgram, other: StanProgram) -> bool:
    """Say whether two programs declare the same parameters: chains of the one can start where the other's do."""
    ours, theirs = (
        [(name, own.type) for name, own in declarations(each.code).get("parameters", {}).items()]
        for each in (program, other)
    )
    return ours == theirs


def version_needed(program: StanProgram) -> tuple[int, int]:
    """Return the first version of Stan that reads a program, whoever wrote it."""
    own = declarations(program.code).get("parameters", {}).values() if program.edited else ()
    newer = any("sum_to_zero_vector" in declared.type for declared in own)
    return (SUM_TO_ZERO if newer else EARLIEST) if program.edited else program.program.stan_version


def check_read_back(program: StanProgram, draws: Draws) -> None:
    """
    Refuse draws from which the model's quantities can't be read.

    Raises
    ------
    EngineError
        A variable is missing, or has another shape than the model's.
    """
    _require_outputs(set(draws), program.parameters)
    for name, shape in needed(program.parameters).items():
        found = draws[name].shape[2:]
        if shape is not None and found != shape:
            message = f"the variable '{name}' of the edited program has the shape {found}, and the model's has {shape}"
            raise EngineError(message, hint="give what you changed another name; it will be in posterior.raw")


def needed(parameters: Parameters) -> dict[str, tuple[int, ...] | None]:
    """Name the variables from which the quantities of a model are read, with their shapes where these are known."""
    names: dict[str, tuple[int, ...] | None] = {}
    slopes = parameters.fixed.slopes
    if -1 in slopes:
        names["Intercept"] = ()
    if max(slopes, default=-1) >= 0:
        names["b"] = (max(slopes) + 1,)
    for term in parameters.random:
        k = max(other.stop for other in parameters.random if other.sd == term.sd)
        names[term.sd] = () if term.scalar else (k,)
        names[term.effects] = (len(term.levels),) if term.scalar else (len(term.levels), k)
        if term.correlation:
            names[term.correlation] = (k, k)
    own = [parameters.sigma] if parameters.sigma else []
    return names | dict.fromkeys(own, ()) | dict.fromkeys(parameters.family)


def _read(code: object) -> str:
    """Return a text, or that of a file."""
    match code:
        case str() if "{" in code or not code.strip().endswith(".stan"):
            return code
        case str() | PathLike():
            try:
                return Path(code).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError, ValueError) as error:
                raise EngineError(f"can't read {code}: {getattr(error, 'strerror', None) or error}") from None
    raise EngineError(f"code is the text of a Stan program or a path, not a {type(code).__name__}")


def _bare(code: str) -> str:
    """Put blanks in the place of comments and strings."""
    return IGNORED.sub(lambda found: " " * len(found[0]), code)


def _array(name: str, values: object) -> AnyArray:
    array = np.asarray(values)
    if array.dtype.kind not in "iubf":
        raise EngineError(f"the data '{printable(name)}' of the edited program must be numbers")
    return array


def _require_data(text: str, wanted: Mapping[str, Declared], given: Mapping[str, AnyArray]) -> None:
    for name, declared in wanted.items():
        if name not in given:
            raise EngineError(
                f"the edited program wants the data '{name}', which the model does not have",
                text=text,
                span=declared.span,
                hint=f"give them: data={{{name!r}: ...}}; or name the form and data_form that the text was written in",
            )


def _require_outputs(found: set[str], parameters: Parameters) -> None:
    missing = [name for name in needed(parameters) if name not in found]
    if missing:
        message = f"the edited program has no variable '{missing[0]}', from which the model's results are read"
        hint = "declare it in (transformed) parameters or generated quantities"
        raise EngineError(message, hint=hint if len(missing) == 1 else f"{hint}; also {', '.join(missing[1:])}")


def _declared(text: str, start: int, end: int) -> Iterator[tuple[str, Declared]]:
    """Read the declarations between two places, those within inner braces left out."""
    place = start
    while place < end:
        stop = place
        while stop < end and text[stop] not in ";{":
            stop += 1
        yield from _names(text, place, stop)
        place = _closing(text, stop) + 1 if stop < end and text[stop] == "{" else stop + 1


def _names(text: str, start: int, stop: int) -> Iterator[tuple[str, Declared]]:
    """Read the names of one statement, if it is a declaration: type, bounds, sizes, and names with their values."""
    start += len(text[start:stop]) - len(text[start:stop].lstrip())
    place = start
    while found := TYPE.match(text, place, stop):
        place = _skipped(text, found.end(), stop)
    if place == start:
        return
    kind = re.sub(r"\s+", "", text[start:place])
    while name := re.compile(r"\s*([A-Za-z]\w*)").match(text, place, stop):
        yield name[1], Declared(kind, Span(name.start(1), name.end(1)))
        place = name.end()
        while place < stop and text[place] != ",":
            place = _closing(text, place) + 1 if text[place] in OPENING else place + 1
        place += 1


def _skipped(text: str, place: int, stop: int) -> int:
    """Skip the bounds and sizes of a type."""
    while True:
        while place < stop and text[place].isspace():
            place += 1
        if place < stop and text[place] == "<":
            while place < stop and text[place] != ">":
                place = _closing(text, place) + 1 if text[place] in OPENING else place + 1
            place += 1
        elif place < stop and text[place] in OPENING:
            place = _closing(text, place) + 1
        else:
            return place


def _closing(text: str, place: int) -> int:
    """Find the bracket that closes the one at a place; the end of the text if none does."""
    depth = 0
    for i in range(place, len(text)):
        depth += (text[i] in OPENING) - (text[i] in CLOSING)
        if depth == 0:
            return i
    return len(text)
