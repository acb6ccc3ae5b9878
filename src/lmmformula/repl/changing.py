"""What changes the model: data, formulas, priors, and going back."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lmmformula.errors import FormulaError, LmmFormulaError, printable
from lmmformula.formula.ast import Call, Name, PriorStatement
from lmmformula.formula.parse import parse_priors, parse_text
from lmmformula.ir.lower import lower_priors, update
from lmmformula.ir.priors import DISTRIBUTIONS, TARGETS, Prior
from lmmformula.present.formula import formula_text
from lmmformula.repl.describe import data_lines, paragraph
from lmmformula.repl.session import Session
from lmmformula.repl.state import Data, State, data_from

if TYPE_CHECKING:
    from lmmformula.api.model import Model


def use_data(session: Session, argument: str) -> str:
    """Read data, keeping the model if it fits them; or describe the data in use."""
    if not argument:
        return data_lines(session.state.need_data())
    return set_data(session, data_from(str(Path(argument.strip("\"'")).expanduser())))


def set_data(session: Session, data: Data) -> str:
    """Go on with other data; a model that doesn't fit them is given up."""
    state = session.state
    kept = state.ir is not None and all(variable.name in data.table for variable in state.ir.variables())
    state = session.advance(f"data = {data.code}", data=data, model=None, fit=None, posterior=None)
    said = data_lines(data)
    try:
        if kept:
            return f"{said}\n{_set_model(session, state.formula, state.priors, on_top=True)}"
    except LmmFormulaError as error:
        said += f"\nthe model does not fit these data: {error.message}"
    session.note(formula="", ir=None)
    return said


def statement(session: Session, text: str) -> str:
    """Take a line that is no command: prior statements, an update of the model, or a new one."""
    if is_prior(text, session.state):
        return add_priors(session, text)
    return set_formula(session, text)


def is_prior(text: str, state: State) -> bool:
    """
    Tell prior statements from a formula: `b ~ normal(0, 5)` is one unless `b` is a column and `normal` no distribution.

    >>> [is_prior(text, State()) for text in ("b[x] ~ normal(0, 5)", "sd ~ gama(2, 1)", "y ~ x")]
    [True, True, False]
    """
    try:
        statements = parse_priors(text)
    except FormulaError:
        name, _, rest = text.partition("[")
        return bool(rest) and name.strip() in TARGETS
    return bool(statements) and all(_is_prior(found, state) for found in statements)


def _is_prior(found: PriorStatement, state: State) -> bool:
    if found.selectors:
        return True
    match found.distribution:
        case Call(function=name) if name in DISTRIBUTIONS:
            return True
        case _:
            is_column = state.data is not None and found.parameter in state.data.table
            return found.parameter in TARGETS and not is_column


def set_formula(session: Session, text: str) -> str:
    """Make a formula the model; one whose left side is `.` or empty changes the present model, as R's update()."""
    state = session.state
    typed = parse_text(text)
    match typed.formula.lhs:
        case None | Name(name=".", quoted=False) if state.ir is not None:
            ir = update(state.ir, text)
            return _set_model(session, ir.formula, ir.priors)
    statements = lower_priors(typed.priors)
    end = min((prior.span.start for prior in typed.priors), default=len(text))
    return _set_model(session, text[:end].strip().rstrip(";").rstrip(), (*state.priors, *statements))


def add_priors(session: Session, text: str) -> str:
    """Let prior statements belong to the model; the later of equals wins."""
    state = session.state
    new = lower_priors(parse_priors(text), text)
    if state.ir is None:
        session.advance(priors=_latest((*state.priors, *new)))
        return "\n".join(f"prior of the model to come: {prior}" for prior in new)
    _set_model(session, state.formula, (*state.priors, *new), must_apply=new)
    session.note(fit=state.fit)
    return "\n".join(f"prior: {prior}" for prior in new)


def change_priors(session: Session, argument: str) -> str:
    """`:prior STATEMENT` adds one, `:prior clear` removes all that were typed."""
    state = session.state
    if argument != "clear":
        return add_priors(session, argument) if argument else show_priors(session, "")
    if state.ir is None:
        session.advance(priors=())
    else:
        _set_model(session, state.formula, ())
        session.note(fit=state.fit)
    return "all priors are the defaults again"


def show_priors(session: Session, _: str) -> str:
    """List the prior of each parameter, defaults included."""
    state = session.state
    if state.model is None:
        return "\n".join(map(str, state.priors)) or "no priors were typed"
    from lmmformula.present.tables import table_lines

    frame = state.model.priors
    rows = [
        [str(target), _short(str(distribution)), "default" if default else "typed"]
        for target, distribution, default in zip(frame["target"], frame["distribution"], frame["default"], strict=True)
    ]
    return "\n".join(table_lines(["parameter", "prior", ""], rows, left=3))


def _short(distribution: str) -> str:
    """
    Round the numbers of a prior for reading.

    >>> _short("student_t(3, 0, 148.34821469999997)")
    'student_t(3, 0, 148.348)'
    """
    return re.sub(r"\d+\.\d{4,}", lambda found: f"{float(found[0]):.6g}", distribution)


def undo(session: Session, _: str) -> str:
    """Go back to the model, priors or data before the last change."""
    if len(session.past) < 2:
        raise FormulaError("there is nothing to undo")
    session.past.pop()
    state = session.state
    if state.ir is None:
        return data_lines(state.data) if state.data else "there is no model"
    return "\n".join([formula_text(state.ir), *map(str, state.priors)])


def _set_model(
    session: Session,
    formula: str,
    priors: Iterable[Prior],
    *,
    must_apply: tuple[Prior, ...] = (),
    on_top: bool = False,
) -> str:
    """
    Go on to a formula with priors; priors of coefficients that it doesn't have are given up, and that is said.

    on_top : whether this belongs to the change before, so that one `:undo` takes both back
    """
    from lmmformula.api.model import Model
    from lmmformula.api.parsing import parse

    change = session.note if on_top else session.advance
    data, wanted = session.state.data, _latest(priors)
    if data is None:
        ir = parse(_joined(formula, wanted))
        change(formula=formula, ir=ir, priors=wanted, fit=None, posterior=None)
        return f"{ir.formula}\nno data yet: `:data FILE` reads some"
    model = Model(_joined(formula, wanted), data.table)
    kept = tuple(prior for prior in wanted if applies(prior, model))
    for prior in must_apply:
        if prior not in kept:
            raise _unknown(prior, model)
    if kept != wanted:
        model = Model(_joined(formula, kept), data.table)
    model.data_name = data.name
    change(
        f"model = {model_code(formula, kept)}",
        formula=formula,
        ir=model.ir,
        priors=kept,
        model=model,
        fit=None,
        posterior=None,
    )
    given_up = [f"prior given up, since the model has no such coefficient: {p}" for p in wanted if p not in kept]
    return "\n".join([paragraph(model), *given_up])


def applies(prior: Prior, model: "Model") -> bool:
    """Tell whether the coefficients that a prior names are in the model."""
    match prior.target.parameter, prior.target.selectors:
        case "b", (name,):
            return name in model.design.fixed_names
        case "sd" | "cor", (group,):
            return any(term.group == group for term in model.design.random_terms)
        case "sd", (group, name):
            terms = model.design.random_terms
            return any(term.group == group and name in term.coefficient_names for term in terms)
        case _:
            return True


def _unknown(prior: Prior, model: "Model") -> FormulaError:
    terms = model.design.random_terms
    known = {
        "b": [f"b[{name}]" for name in model.design.fixed_names],
        "sd": [f"sd[{term.group}, {name}]" for term in terms for name in term.coefficient_names],
        "cor": [f"cor[{term.group}]" for term in terms],
    }[prior.target.parameter]
    message = f"the model has no `{prior.target}`"
    return FormulaError(message, hint=f"it has {', '.join(map(printable, known[:8]))}" if known else "")


def _latest(priors: Iterable[Prior]) -> tuple[Prior, ...]:
    return tuple({prior.target: prior for prior in priors}.values())


def model_code(formula: str, priors: Iterable[Prior]) -> str:
    """Write the Python that makes a model."""
    return f"lf.Model({_written(_joined(formula, priors))}, data)"


def _joined(formula: str, priors: Iterable[Prior]) -> str:
    return "\n".join([formula, *map(str, priors)])


def _written(text: str) -> str:
    """Write a text as Python source, over several lines where it has several."""
    if "\n" not in text or '"""' in text or "\\" in text or text.endswith('"'):
        return repr(text)
    return f'"""\n{text}\n"""'
