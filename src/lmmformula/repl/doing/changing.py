"""What changes the model: data, formulas, priors, and going back."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmmformula.api.input.parsing import specification
from lmmformula.data.delimited import TextOptions
from lmmformula.design.fixed import named_numbers
from lmmformula.errors import FormulaError, LmmFormulaError, printable
from lmmformula.formula.ast import Call, Name, PriorStatement
from lmmformula.formula.parse import parse_priors, parse_text
from lmmformula.ir.family import GAUSSIAN
from lmmformula.ir.lower.model import update
from lmmformula.ir.lower.priors import lower_priors
from lmmformula.ir.priors import DISTRIBUTIONS, TARGETS, Prior
from lmmformula.repl.describe import data_lines, paragraph
from lmmformula.repl.doing.families import (
    chosen_family,
    family_code,
    family_table,
    family_text,
    model_text,
)
from lmmformula.repl.state import Data, State, States, data_from
from lmmformula.stan.program.responses import own_parameters

if TYPE_CHECKING:
    from lmmformula.api.model import Model

DATA_OPTIONS = re.compile(r"(.*?)((?:\s+(?:sep|na)=\S*)*)\s*", re.DOTALL)
"""A file, and behind it how its text is read."""


def do_data(session: States, argument: str) -> str:
    """Read data, keeping the model if it fits them; or describe the data in use."""
    if not argument:
        return data_lines(session.state.need_data())
    named = DATA_OPTIONS.fullmatch(argument)
    assert named is not None
    file, options = named.groups()
    text = text_options(dict(option.split("=", 1) for option in options.split()))
    return set_data(session, data_from(str(Path(file.strip("\"'")).expanduser()), text))


def text_options(given: Mapping[str, str]) -> TextOptions:
    """Read the options that may stand behind the name of a text file."""
    words = given["na"].split(",") if "na" in given else None
    return TextOptions(given.get("sep"), words)


def set_data(session: States, data: Data) -> str:
    """Go on with other data; a model that doesn't fit them is given up."""
    state = session.state
    kept = state.ir is not None and all(variable.name in data.table for variable in state.ir.variables())
    columns = state.found_in(data.table)
    session.advance(f"data = {data.code}", data=data, **columns, model=None, fit=None, posterior=None)
    if not kept:
        _give_up(session)
        return data_lines(data)
    return f"{data_lines(data)}\n{_set_again(session, 'these data')}"


def _set_again(session: States, what: str) -> str:
    """Make the model anew after something that it rests on has changed; it is given up where it doesn't fit that."""
    try:
        return set_model(session, on_top=True)
    except LmmFormulaError as error:
        _give_up(session)
        return f"the model does not fit {what}: {error.message}"


def _give_up(session: States) -> None:
    session.note(formula="", ir=None, model=None, fit=None, posterior=None)


def do_family(session: States, argument: str) -> str:
    """`:family [NAME(LINK)]`: of this model and those to come; without an argument, tell which there are."""
    if not argument:
        return "\n".join(family_table(session.state.family))
    family = chosen_family(argument)
    session.advance(family=family, model=None, fit=None, posterior=None)
    said = f"the family is {family_text(family)}"
    return said if session.state.ir is None else f"{said}\n{_set_again(session, 'it')}"


def do_weights(session: States, argument: str) -> str:
    """`:weights [COLUMN|none]`: of this model and those to come; without an argument, tell which are used."""
    return _row_column(session, argument, "weights")


def do_loglik_weights(session: States, argument: str) -> str:
    """`:loglik_weights [COLUMN|none]`: as `:weights`, of the factors of the log density."""
    return _row_column(session, argument, "loglik_weights")


def _row_column(session: States, argument: str, what: str) -> str:
    state = session.state
    name = argument.strip("`") if argument != "none" else ""
    used = name if argument else state.row_columns.get(what, "")
    said = f"the {what} are `{printable(used)}`" if used else f"there are no {what}"
    if not argument:
        return said
    if name:
        named_numbers(state.need_data().table, name, what)
    change: dict[str, Any] = {what: name}
    if state.ir is None:
        session.advance(**change)
        return said
    return f"{said}\n{set_model(session, **change)}"


def statement(session: States, text: str) -> str:
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


def set_formula(session: States, text: str) -> str:
    """Make a formula the model; one whose left side is `.` or empty changes the present model, as R's update()."""
    state = session.state
    typed = parse_text(text)
    match typed.formula.lhs:
        case None | Name(name=".", quoted=False) if state.ir is not None:
            ir = update(state.ir, text)
            return set_model(session, formula=ir.formula, priors=ir.priors)
    statements = lower_priors(typed.priors)
    end = min((prior.span.start for prior in typed.priors), default=len(text))
    formula = text[:end].strip().rstrip(";").rstrip()
    return set_model(session, formula=formula, priors=(*state.priors, *statements))


def add_priors(session: States, text: str) -> str:
    """Let prior statements belong to the model; the later of equals wins."""
    state = session.state
    new = lower_priors(parse_priors(text), text)
    if state.ir is None:
        session.advance(priors=_latest((*state.priors, *new)))
        return "\n".join(f"prior of the model to come: {prior}" for prior in new)
    set_model(session, priors=(*state.priors, *new), must_apply=new)
    session.note(fit=state.fit)
    return "\n".join(f"prior: {prior}" for prior in new)


def do_prior(session: States, argument: str) -> str:
    """`:prior STATEMENT` adds one, `:prior clear` removes all that were typed."""
    state = session.state
    if argument != "clear":
        return add_priors(session, argument) if argument else do_priors(session, "")
    if state.ir is None:
        session.advance(priors=())
    else:
        set_model(session, priors=())
        session.note(fit=state.fit)
    return "all priors are the defaults again"


def do_priors(session: States, _: str) -> str:
    """List the prior of each parameter, defaults included."""
    state = session.state
    if state.model is None:
        return "\n".join(map(str, state.priors)) or "no priors were typed"
    from lmmformula.results.tables.lines import table_lines

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


def do_undo(session: States, _: str) -> str:
    """Go back to the model, priors or data before the last change."""
    if len(session.past) < 2:
        raise FormulaError("there is nothing to undo")
    session.undone.append(session.past.pop())
    state = session.state
    if state.ir is None:
        said = data_lines(state.data) if state.data else "there is no model"
        return said if state.family == GAUSSIAN else f"{said}\nthe family is {family_text(state.family)}"
    return "\n".join([model_text(state.ir) + state.row_text, *map(str, state.priors)])


def set_model(
    session: States,
    *,
    must_apply: tuple[Prior, ...] = (),
    on_top: bool = False,
    **changes: Any,  # noqa: ANN401 (fields of a State)
) -> str:
    """
    Go on to another formula, priors, family or weights; priors of what the model lacks are given up, and that is said.

    on_top : whether this belongs to the change before, so that one `:undo` takes both back
    """
    change = session.note if on_top else session.advance
    wanted = replace(session.state, fit=None, posterior=None, **changes)
    wanted = replace(wanted, priors=_latest(wanted.priors))
    if wanted.data is None:
        ir = specification(wanted.text, wanted.family, None)
        change(formula=wanted.formula, family=wanted.family, ir=ir, priors=wanted.priors, fit=None, posterior=None)
        return f"{ir.formula}\nno data yet: `:data FILE` reads some"
    model = _model_of(wanted, wanted.data)
    kept = replace(wanted, priors=tuple(prior for prior in wanted.priors if applies(prior, model)))
    for prior in must_apply:
        if prior not in kept.priors:
            raise _unknown(prior, model)
    if kept.priors != wanted.priors:
        model = _model_of(kept, wanted.data)
    model.data_name = wanted.data.name
    names = ("formula", "family", "weights", "loglik_weights", "priors", "fit", "posterior")
    change(f"model = {model_code(kept)}", ir=model.ir, model=model, **{name: getattr(kept, name) for name in names})
    given_up = [
        f"prior given up, since the model has no such parameter: {p}" for p in wanted.priors if p not in kept.priors
    ]
    return "\n".join([paragraph(model), *given_up])


def _model_of(state: State, data: Data) -> "Model":
    from lmmformula.api.model import Model

    columns: dict[str, Any] = state.row_columns
    return Model(state.text, data.table, family=state.family, **columns)


def applies(prior: Prior, model: "Model") -> bool:
    """Tell whether the model has the parameters that a prior names."""
    terms, family = model.design.random_terms, model.ir.family
    match prior.target.parameter, prior.target.selectors:
        case "b", (name,):
            return name in model.design.fixed_names
        case (("sd" | "cor"), (group, *names)):
            return any(term.group == group and set(names) <= set(term.coefficient_names) for term in terms)
        case "sd", ():
            return bool(terms)
        case "cor", ():
            return any(term.n_coefficients > 1 and term.covariance.correlated for term in terms)
        case "cutpoint", _:
            return family.ordinal
        case name, _:
            return name in ("Intercept", "b", *own_parameters(family))


def _unknown(prior: Prior, model: "Model") -> FormulaError:
    terms, family = model.design.random_terms, model.ir.family
    known = {
        "b": [f"b[{name}]" for name in model.design.fixed_names],
        "sd": [f"sd[{term.group}, {name}]" for term in terms for name in term.coefficient_names],
        "cor": [f"cor[{term.group}]" for term in terms],
    }
    own = [*own_parameters(family), *(["cutpoint"] if family.ordinal else [])]
    names = known.get(prior.target.parameter, own)
    where = "" if prior.target.parameter in known else f" in the family {family_text(family)}"
    hint = f"it has {', '.join(map(printable, names[:8]))}" if names else ""
    return FormulaError(f"the model has no `{prior.target}`{where}", hint=hint)


def _latest(priors: Iterable[Prior]) -> tuple[Prior, ...]:
    return tuple({prior.target: prior for prior in priors}.values())


def model_code(state: State) -> str:
    """Write the Python that makes a model."""
    columns = "".join(f", {argument}={column!r}" for argument, column in state.row_columns.items())
    return f"lf.Model({_written(state.text)}, data{family_code(state.family)}{columns})"


def _written(text: str) -> str:
    """Write a text as Python source, over several lines where it has several."""
    if "\n" not in text or '"""' in text or "\\" in text or text.endswith('"'):
        return repr(text)
    return f'"""\n{text}\n"""'
