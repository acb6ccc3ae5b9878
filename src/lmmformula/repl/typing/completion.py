"""What may come next: columns, functions, grouping factors, distributions, commands."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from lmmformula.ir.expressions import variables
from lmmformula.ir.functions import FUNCTIONS, REGISTERED
from lmmformula.ir.names import backticked
from lmmformula.ir.priors import DISTRIBUTIONS, TARGETS
from lmmformula.repl.commands import COMMANDS
from lmmformula.repl.doing.families import completions as family_names
from lmmformula.repl.doing.pictures import PICTURES
from lmmformula.repl.doing.sampling import SAMPLING
from lmmformula.repl.sources import READERS
from lmmformula.repl.state import State
from lmmformula.repl.typing.facts import column_text
from lmmformula.repl.typing.live import formula_start
from lmmformula.repl.typing.tokens import CLOSING, OPENING, OPERATORS, Piece, tokenize
from lmmformula.stan.program.responses import own_parameters

if TYPE_CHECKING:
    from lmmformula.design.design import RandomTermDesign

WORDS = {
    "type": (
        ("I", "each term after those before it"),
        ("II", "after all that don't contain it"),
        ("III", "averaged over the factors it interacts with"),
    ),
    "method": (
        ("wald", "by standard errors"),
        ("profile", "by the likelihood"),
        ("boot", "by refits"),
        ("quantile", "of the posterior"),
        ("hdi", "shortest, of the posterior"),
    ),
    "drop": (("drop", "leave the least supported part out"),),
    "latex": (("latex", "for a paper"),),
}
"""What a command takes -> the words that it can be."""

MOST_PATHS = 50
"""Files that are offered."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    One way to go on.

    text : what is to stand in the line from `start` to the cursor
    about : what it is
    """

    text: str
    start: int
    about: str = ""


def candidates(line: str, state: State) -> list[Candidate]:
    """
    List the ways to go on behind a line.

    >>> [c.text for c in candidates(":sa", State())]
    [':sample', ':save']
    >>> [c.text for c in candidates("b[x] ~ norm", State())]
    ['normal(']
    """
    offset = formula_start(line)
    if offset is None:
        return list(_of_command(line, state))
    found = list(_of_formula(line[offset:], state, targets=state.ir is not None and not line.startswith(":fit")))
    shifted = [Candidate(c.text, c.start + offset, c.about) for c in found]
    if line.startswith(":fit ") and not line[offset:].strip("remlREML"):
        start = len(line) - len(line[5:])
        shifted += [Candidate(m, start, "method") for m in ("reml", "ml") if m.startswith(line[5:].lower())]
    return shifted


def _of_command(line: str, state: State) -> Iterator[Candidate]:
    name, space, _ = line[1:].partition(" ")
    if not space:
        matching = {known: c for known, c in COMMANDS.items() if known.lower().startswith(name.lower())}
        yield from (Candidate(f":{known}", 0, c.about) for known, c in matching.items())
        return
    start = line.rfind(" ") + 1
    word = line[start:]
    takes = COMMANDS[name].takes if name in COMMANDS else "nothing"
    for text, about in ARGUMENTS[takes](word, state) if takes in ARGUMENTS else WORDS.get(takes, ()):
        if text.lower().startswith(word.lower()):
            yield Candidate(text, start, about)


def _datasets() -> Iterator[tuple[str, str]]:
    from lmmformula import datasets

    yield from ((name, f"{datasets.catalogue()[name]['n_rows']} rows") for name in datasets.names())


def _numeric_columns(state: State) -> Iterator[tuple[str, str]]:
    if state.data is not None:
        table = state.data.table
        yield from ((name, "numeric") for name in table.names if column_text(table, name) == "numeric")
    yield "none", "no weights"


def _predictors(state: State) -> Iterator[tuple[str, str]]:
    """List the columns that the model reads, its response apart."""
    if state.ir is None or state.data is None:
        return
    response = [v.name for expression in state.ir.response.expressions for v in variables(expression)]
    for variable in state.ir.variables():
        if variable.name not in response:
            yield variable.name, column_text(state.data.table, variable.name)


def _paths(word: str, suffixes: set[str]) -> Iterator[tuple[str, str]]:
    """List folders and files that begin with a word; files of some suffixes only, if any are given."""
    folder = Path(word).parent if not word.endswith("/") else Path(word)
    try:
        found = sorted(folder.expanduser().iterdir())[:MOST_PATHS]
    except OSError:
        return
    for path in found:
        if path.name.startswith(".") or " " in path.name:
            continue
        text = path.name if str(folder) == "." and not word.startswith("./") else str(folder / path.name)
        if path.is_dir():
            yield f"{text}/", "folder"
        elif not suffixes or path.suffix.lower() in suffixes:
            yield text, "file"


def _of_formula(text: str, state: State, *, targets: bool) -> Iterator[Candidate]:
    """List names that may stand where the cursor is, by what stands before."""
    found = tokenize(text)
    word = found.pop() if found and found[-1].end == len(text) and _is_name(found[-1]) else Piece("NAME", "", len(text))
    statement = _statement(found)
    if statement and statement[-1].kind not in OPERATORS | OPENING:
        return
    names = [*_columns(state), *(_targets(state) if targets else ())] if not statement else _names(statement, state)
    for name, about in names:
        if name.lower().startswith(word.text.lower()):
            yield Candidate(name, word.start, about)


def _is_name(piece: Piece) -> bool:
    """Tell a name, perhaps half typed in backticks."""
    return piece.kind in ("NAME", "QUOTED") or (piece.kind == "BAD" and piece.text.startswith("`"))


def _statement(found: list[Piece]) -> list[Piece]:
    """Keep the tokens of the last statement."""
    ends = [i for i, piece in enumerate(found) if piece.kind == "_END"]
    return found[ends[-1] + 1 :] if ends else found


def _names(before: list[Piece], state: State) -> Iterable[tuple[str, str]]:
    opened = _innermost(before)
    if opened is not None and before[opened].kind == "LSQB":
        return _selectors(before[:opened], before[opened + 1 :], state)
    if any(piece.kind == "TILDE" for piece in before) and _is_prior_target(before, state):
        return ((f"{name}(", ", ".join(numbers)) for name, numbers in DISTRIBUTIONS.items())
    if opened is not None and any(piece.kind == "OR" for piece in before[opened:]):
        return _grouping_columns(state)
    return [*_columns(state), *_functions()]


def _innermost(before: list[Piece]) -> int | None:
    """Find the position of the bracket that is open."""
    opened: list[int] = []
    for i, piece in enumerate(before):
        if piece.kind in OPENING:
            opened.append(i)
        elif piece.kind in CLOSING and opened:
            opened.pop()
    return opened[-1] if opened else None


def _is_prior_target(before: list[Piece], state: State) -> bool:
    first = before[0]
    is_column = state.data is not None and first.text in state.data.table
    return any(piece.kind == "LSQB" for piece in before[:2]) or (first.text in TARGETS and not is_column)


def _columns(state: State) -> Iterator[tuple[str, str]]:
    if state.data is not None:
        table = state.data.table
        yield from ((backticked(name), column_text(table, name)) for name in table.names)


def _grouping_columns(state: State) -> Iterator[tuple[str, str]]:
    if state.data is not None:
        table = state.data.table
        for name in state.data.facts.grouping_columns:
            yield backticked(name), f"{len(table.factor(name).levels)} levels"


def _functions() -> Iterator[tuple[str, str]]:
    yield from ((f"{name}(", ", ".join(signature.parameters)) for name, signature in FUNCTIONS.items())
    yield from ((f"{name}(", "registered") for name in REGISTERED)
    yield ("offset(", "a known part of the linear predictor")


def _targets(state: State) -> Iterator[tuple[str, str]]:
    if _random_terms(state):
        yield from (("sd", "prior of standard deviations"), ("cor", "prior of correlations"))
    middle = ("cutpoint", "prior of the cutpoints") if state.family.ordinal else ("Intercept", "prior of the intercept")
    yield from (("b", "prior of coefficients"), middle)
    yield from ((name, "prior") for name in own_parameters(state.family))


def _selectors(target: list[Piece], before: list[Piece], state: State) -> Iterator[tuple[str, str]]:
    """List what may stand in the brackets of a prior's target."""
    terms = _random_terms(state)
    match target[-1].text if target else "":
        case "b" if state.model is not None:
            yield from ((name, "coefficient") for name in state.model.design.fixed_names)
        case "sd" | "cor" if before:
            group = before[0].text
            yield from ((n, "coefficient") for term in terms if term.group == group for n in term.coefficient_names)
        case "sd" | "cor":
            yield from ((term.group, f"{term.n_levels} levels") for term in terms)


def _random_terms(state: State) -> tuple["RandomTermDesign", ...]:
    return state.model.design.random_terms if state.model is not None else ()


ARGUMENTS: dict[str, Callable[[str, State], Iterable[tuple[str, str]]]] = {
    "data": lambda word, _: chain(_datasets(), _paths(word, set(READERS))),
    "file": lambda word, _: _paths(word, set()),
    "saved": lambda word, _: _paths(word, {".json", ".nc"}),
    "picture": lambda word, _: chain(((kind, f"of the {of}") for kind, of in PICTURES.items()), _paths(word, set())),
    "family": lambda _word, _state: family_names(),
    "weights": lambda _, state: _numeric_columns(state),
    "sampling": lambda _word, _state: ((f"{name}=", "option") for name in SAMPLING),
    "group": lambda _, state: ((term.group, f"{term.n_levels} levels") for term in _random_terms(state)),
    "command": lambda _word, _state: ((name, command.about) for name, command in COMMANDS.items()),
    "names": lambda _, state: _predictors(state),
    "values": lambda _, state: ((f"{name}=", about) for name, about in _predictors(state)),
}
"""What a command takes -> what lists the ways to go on with a word, where they are not a few words."""
