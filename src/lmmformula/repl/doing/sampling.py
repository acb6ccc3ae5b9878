"""Commands of the posterior: the program, draws from it, its mode, and how it compares."""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lmmformula.errors import FormulaError, printable
from lmmformula.repl.doing.families import model_text
from lmmformula.repl.doing.fitting import fit_of, need_posterior
from lmmformula.repl.state import State, States

if TYPE_CHECKING:
    from lmmformula.api.posterior import Posterior


def do_stan(session: States, argument: str) -> str:
    """`:stan [FILE]`."""
    program = session.state.need_model().stan()
    if not argument:
        session.note("print(model.stan())")
        return program.code.rstrip()
    program.write(argument)
    session.note(f"model.stan().write({argument!r})")
    return f"written: {argument}, and beside it data, a script and how to run them"


def do_sample(session: States, argument: str) -> str:
    """`:sample [N] [seed=1 chains=4 warmup=1000 engine=stanli ...]`."""
    options = _options(argument, SAMPLING, first="draws")
    posterior = session.state.need_model().sample(**options, progress=sys.stderr.isatty())
    session.note(f"posterior = model.sample({_written(options)})", posterior=posterior)
    return str(posterior)


def do_optimize(session: States, argument: str) -> str:
    """`:optimize [seed=1 engine=stanli]`."""
    options = _options(argument, {name: SAMPLING[name] for name in ("seed", "engine", "form")}, first="seed")
    mode = session.state.need_model().optimize(**options)
    session.note(f"print(model.optimize({_written(options)}))")
    return str(mode)


def _options(argument: str, known: Mapping[str, Callable[[str], Any]], *, first: str) -> dict[str, Any]:
    """
    Read `100 seed=1 engine=stanli`.

    known : name of an option -> what reads it
    first : the one that a word without a name is
    """
    options: dict[str, Any] = {}
    for word in argument.split():
        name, equals, text = word.rpartition("=")
        name = name if equals else first
        try:
            options[name] = known[name](text)
        except (KeyError, ValueError):
            hint = f"options are written seed=1, and there are: {', '.join(known)}"
            raise FormulaError(f"can't read `{printable(word)}`", hint=hint) from None
    return options


def _whole(text: str) -> int:
    """Read a number of at least 1."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


SAMPLING: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("draws", "chains", "warmup", "thin", "max_treedepth"), _whole),
    "seed": int,
    "adapt_delta": float,
    **dict.fromkeys(("engine", "algorithm", "form", "metric"), str),
}
"""Options of sampling -> what reads them."""


def _written(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in options.items())


def do_loo(session: States, _: str) -> str:
    """Cross-validate the posterior; beside that of a model before, where it was sampled as well."""
    from lmmformula.results.posteriors.arviz import import_arviz

    posterior = need_posterior(session)
    said, before = str(posterior.loo()), _sampled_before(posterior, session.past)
    if before is None:
        session.note("print(posterior.loo())")
        return said
    known = {"now": posterior.loo(), "before": before.loo()}
    return f"{said}\n\n{import_arviz().compare(known).round(2).to_string()}\nbefore: {model_text(before.ir)}"


def _sampled_before(now: "Posterior", past: Iterable[State]) -> "Posterior | None":
    """Find the last posterior of another model of the same response in the same rows."""
    wanted = (now.ir.response, now.nobs, now.data_name)
    known = [state.posterior for state in past if state.posterior is not None and state.posterior is not now]
    return next((p for p in reversed(known) if (p.ir.response, p.nobs, p.data_name) == wanted), None)


def do_compare(session: States, _: str) -> str:
    """Put fit and posterior side by side."""
    found = comparison(session)
    session.note("print(lf.compare(fit, posterior))")
    return str(found)


def comparison(session: States) -> Any:  # noqa: ANN401 (a Comparison)
    """Compare the fit with the posterior, which there must be."""
    from lmmformula.api.comparison import compare as side_by_side

    posterior = need_posterior(session)
    return side_by_side(fit_of(session), posterior)
