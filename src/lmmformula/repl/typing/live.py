"""What can be told of a line while it is being typed: its pieces, its error, and what it would mean."""

from dataclasses import dataclass, replace

from lmmformula.api.input.parsing import specification
from lmmformula.errors import FormulaError, LmmFormulaError, Span, printable
from lmmformula.formula.ast import Name
from lmmformula.formula.parse import parse_priors, parse_text
from lmmformula.ir.family import GAUSSIAN
from lmmformula.ir.functions import FUNCTIONS, REGISTERED
from lmmformula.ir.lower.model import update
from lmmformula.ir.lower.priors import lower_priors
from lmmformula.repl.commands import COMMANDS, Command, command_of
from lmmformula.repl.doing.changing import is_prior
from lmmformula.repl.doing.families import chosen_family, family_text
from lmmformula.repl.doing.fitting import fit_options
from lmmformula.repl.state import State
from lmmformula.repl.typing.facts import Preview
from lmmformula.repl.typing.tokens import Piece, tokenize, wants_more


@dataclass(frozen=True, slots=True)
class Look:
    """
    A line, looked at.

    offset : where in the line the formula or prior begins
    pieces : its tokens, placed in the line
    error : what is wrong with it, placed in the formula
    unfinished : whether the error may vanish as typing goes on
    preview : what the formula would mean for the data
    note : anything else to say
    """

    offset: int = 0
    pieces: tuple[Piece, ...] = ()
    error: LmmFormulaError | None = None
    unfinished: bool = False
    preview: Preview | None = None
    note: str = ""

    @property
    def marked(self) -> Span | None:
        """The stretch of the line that is wrong."""
        if self.error is None or self.unfinished or self.error.span.start < 0:
            return None
        return Span(self.error.span.start + self.offset, self.error.span.end + self.offset)


def look(line: str, state: State) -> Look:
    r"""
    Look at a line; nothing is fitted, and no error is raised.

    >>> str(look("y ~ x z", State()).error).split("\n")[0], look("y ~ x +", State()).unfinished
    ('no operator between `x` and `z`', True)
    """
    offset = formula_start(line)
    if offset is None:
        return _look_at_family(line, state) or Look(note=_usage(line))
    text = line[offset:]
    if not text.strip():
        return Look(offset, note=_usage(line) if line.startswith(":") else "")
    found = tuple(Piece(piece.kind, piece.text, piece.start + offset) for piece in tokenize(text))
    try:
        preview, note = _meaning(text, state)
    except LmmFormulaError as error:
        return Look(offset, found, error.located(text), _may_vanish(text, error, state))
    return Look(offset, found, preview=preview, note=note)


def _look_at_family(line: str, state: State) -> Look | None:
    """Look at the model in the family that a line asks for; None where it asks for none."""
    name, _, typed = line.lstrip()[1:].partition(" ")
    command = _known(name)
    if command is None or command.takes != "family" or state.ir is None or state.data is None:
        return None
    try:
        ir = replace(state.ir, family=chosen_family(typed.strip()))
        return Look(preview=state.data.facts.preview(ir, **state.row_columns), note=_usage(line))
    except FormulaError:
        return None
    except LmmFormulaError as error:
        return Look(error=error.located(state.ir.source))


def formula_start(line: str) -> int | None:
    """
    Tell where in a line a formula or prior begins; None if there is none.

    >>> formula_start("y ~ x"), formula_start(":fit ml y ~ x"), formula_start(":undo")
    (0, 8, None)
    """
    if not line.lstrip().startswith(":"):
        return 0
    name, space, rest = line.lstrip()[1:].partition(" ")
    command = _known(name)
    if command is None or not space or command.takes not in ("formula", "prior") or rest.strip() == "clear":
        return None
    word, blank, after = rest.partition(" ")
    if command.takes == "formula" and fit_options(word) is not None:
        return len(line) - len(after) if blank else len(line)
    return len(line) - len(rest)


def _known(name: str) -> Command | None:
    try:
        return command_of(name)
    except FormulaError:
        return None


def _usage(line: str) -> str:
    name = line.lstrip()[1:].partition(" ")[0]
    command = _known(name)
    if command is None:
        return "no such command; :help lists them" if " " in line else ""
    full = next(key for key, value in COMMANDS.items() if value is command)
    return f":{full} {command.usage}".rstrip() + f"   {command.about}"


def _meaning(text: str, state: State) -> tuple[Preview | None, str]:
    """Preview a formula, or read prior statements."""
    if is_prior(text, state):
        priors = lower_priors(parse_priors(text), text)
        return None, "prior: " + "; ".join(map(str, priors))
    match parse_text(text).formula.lhs:
        case None | Name(name=".", quoted=False) if state.ir is not None:
            ir = update(state.ir, text)
            note = ir.formula
        case _:
            ir, note = specification(text, state.family, None), ""
    if state.data is None:
        return None, note or "no data yet: :data FILE reads some"
    return state.data.facts.preview(ir, **state.row_columns), note


def _may_vanish(text: str, error: LmmFormulaError, state: State) -> bool:
    """Tell whether an error is only that something is not typed to its end."""
    found = tokenize(text)
    if wants_more(text) or all(piece.kind != "TILDE" for piece in found):
        return True
    last = found[-1]
    if last.kind != "NAME" or last.end < len(text) or error.span.end < last.start:
        return False
    known = [*FUNCTIONS, *REGISTERED, *(state.data.table.names if state.data else ())]
    return any(name != last.text and name.startswith(last.text) for name in known)


def toolbar(seen: Look, state: State) -> list[tuple[str, str]]:
    """Write what is shown below the line: fragments of style and text."""
    if seen.error is not None:
        if seen.unfinished:
            return [("class:toolbar.dim", f" {printable(seen.error.message)} ...")]
        return [("class:toolbar.error", f" {line}\n") for line in str(seen.error).split("\n")]
    if seen.preview is not None:
        note = f"\n {printable(seen.note)}" if seen.note else ""
        told = "\n".join(f" {printable(line)}" for line in str(seen.preview).split("\n"))
        shown = [("class:toolbar.sizes", told), ("class:toolbar.dim", note)]
        return [*shown, *(("class:toolbar.warning", f"\n {warning}") for warning in seen.preview.warnings)]
    return [("class:toolbar.dim", f" {printable(seen.note or _at_rest(state))}")]


def _at_rest(state: State) -> str:
    """Say where the session stands, while the line is empty."""
    data = f"{state.data.name}: {state.data.table.n_rows:,} rows" if state.data else "no data: :data FILE"
    family = [family_text(state.family)] if state.family != GAUSSIAN else []
    weights = [f"{argument} {column}" for argument, column in state.row_columns.items()]
    if state.ir is None:
        return "   ".join([data, *family, *weights, "type a formula, or :help"])
    done = [what for what, is_done in (("fitted", state.fit), ("sampled", state.posterior)) if is_done]
    return "   ".join([data, state.ir.formula, *family, *weights, *done])
