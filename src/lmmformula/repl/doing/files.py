"""`:save` and `:load`: scripts, estimates, fits, posteriors and programs, by the ending of a file's name."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmmformula.errors import FormulaError, LmmFormulaError
from lmmformula.files import write_text
from lmmformula.repl.doing.changing import set_model
from lmmformula.repl.doing.families import model_text
from lmmformula.repl.doing.fitting import fit_of, need_posterior, result_of
from lmmformula.repl.doing.sampling import do_stan
from lmmformula.repl.state import States

if TYPE_CHECKING:
    from lmmformula.api.posterior import Posterior
    from lmmformula.repl.doing.fitting import Fit

KINDS = {".py": "script", ".csv": "estimates", ".json": "fit", ".nc": "posterior", ".stan": "program"}
"""How a file's name ends -> what is written to it."""


def do_save(session: States, argument: str) -> str:
    """`:save FILE`."""
    match Path(argument).suffix:
        case ".py":
            write_text(argument, script_text(session) + "\n")
        case ".csv":
            name, result = result_of(session)
            write_text(argument, result.tidy(frame="pandas").to_csv(index=False))
            session.note(f"{name}.tidy(frame='pandas').to_csv({argument!r}, index=False)")
        case ".json":
            fit_of(session).save(argument)
            session.note(f"fit.save({argument!r})")
        case ".nc":
            need_posterior(session).save(argument)
            session.note(f"posterior.save({argument!r})")
        case ".stan":
            return do_stan(session, argument)
        case _:
            hint = ", ".join(f"{ending} the {what}" for ending, what in KINDS.items())
            raise FormulaError("what is saved depends on the file's name", hint=hint)
    return f"written: {argument}"


def script_text(session: States) -> str:
    """Write the Python that does what was done."""
    lines = list(session.state.code)
    for name in ("pandas as pd", "numpy as np"):
        if any(f"{name[-2:]}." in line for line in lines):
            lines.insert(0, f"import {name}")
    return "\n".join(lines)


def do_load(session: States, argument: str) -> str:
    """
    `:load FILE`: its model becomes that of the session.

    On the data and weights in use, if they can be those of the file; without data it can still be asked.
    """
    from lmmformula.api.input.loading import load as read
    from lmmformula.api.posterior import Posterior

    if not argument:
        raise FormulaError("which file?", hint="as in :load fit.json, or :load posterior.nc")
    found = read(Path(argument).expanduser())
    ir = found.ir
    parts: dict[str, Any] = {"formula": ir.formula, "priors": ir.priors, "family": ir.family}
    parts |= {"ir": ir, "model": None, "fit": None, "posterior": None}
    name = "posterior" if isinstance(found, Posterior) else "fit"
    session.advance(f"{name} = lf.load({argument!r})", **parts)
    said = f"{name} of {model_text(ir)}: {found.design.nobs} rows"
    if session.state.data is None:
        said += "; its data are not here"
    elif not _is_of_data(session, found):
        session.note(data=None, weights="", loglik_weights="", **parts)
        said += "; the data in use, or their weights, are not its own, and are put aside"
    result: dict[str, Any] = {name: found}
    session.note(**result)
    return said


def _is_of_data(session: States, found: "Fit | Posterior") -> bool:
    """Make the model on the data in use, and tell whether they can be those of a loaded result."""
    try:
        set_model(session, on_top=True)
    except LmmFormulaError:
        return False
    made, sizes = (
        session.state.need_model().design,
        ("nobs", "has_weights", "has_loglik_weights", "has_offset"),
    )
    return all(getattr(made, name) == getattr(found.design, name) for name in sizes)
