"""`:plot`: pictures, drawn to files."""

from pathlib import Path
from typing import Any

from lmmformula.errors import FormulaError, printable
from lmmformula.ir.family import GAUSSIAN
from lmmformula.present.pictures.canvas import save_figure
from lmmformula.repl.doing.families import is_fitted
from lmmformula.repl.doing.fitting import need_posterior, result_of
from lmmformula.repl.doing.sampling import comparison
from lmmformula.repl.state import States

PICTURES = {
    **dict.fromkeys(("fit", "ranef", "residuals", "profile", "predictions"), "fit"),
    **dict.fromkeys(("densities", "traces"), "posterior"),
    "compare": "compare",
    "priors": "model",
}
"""Kind of a picture -> what it is of."""


def do_plot(session: States, argument: str) -> str:
    """`:plot [KIND] [FILE]`: of the fit, of the posterior, of both, or of the priors."""
    import numpy as np

    word, _, path = argument.partition(" ")
    if word in PICTURES:
        kind, path = word, path.strip()
    elif argument and not Path(argument).suffix:
        hint = f"the kinds are: {', '.join(PICTURES)}; a file's name has an ending, such as .png"
        raise FormulaError(f"there is no picture `{printable(word)}`", hint=hint)
    else:
        kind, path = "fit" if is_fitted(session.state.family) else "densities", argument
    path = path or f"{kind}.png"
    name, source = _pictured(session, kind)
    if kind == "compare":
        save_figure(source.plot(), path)
        session.note(f"lf.compare(fit, posterior).plot().savefig({path!r})")
    else:
        save_figure(np.ravel(source.plot(kind))[0].figure, path)
        session.note(f"np.ravel({name}.plot({kind!r}))[0].figure.savefig({path!r})")
    return f"written: {path}"


def _pictured(session: States, kind: str) -> tuple[str, Any]:
    """Find what a picture is of, and what that is called in Python."""
    match PICTURES[kind]:
        case "compare":
            return "comparison", comparison(session)
        case "posterior":
            return "posterior", need_posterior(session)
        case "model":
            return "model", session.state.need_model()
        case "fit" if kind == "predictions" and session.state.family != GAUSSIAN:
            return "posterior", need_posterior(session)  # only fits of Gaussian models have bands
        case _:
            return result_of(session)
