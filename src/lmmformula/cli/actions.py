"""What each command does: one call of the package, and a text or a table of it printed."""
# ruff: noqa: T201 (a command line prints)

import sys
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lmmformula.cli.output import note, show
from lmmformula.cli.shell import completion_script
from lmmformula.data.delimited import TextOptions
from lmmformula.errors import FitError
from lmmformula.repl.sources import read_source
from lmmformula.screen import folded, screen_width

if TYPE_CHECKING:
    import pandas as pd

    from lmmformula.api.model import Model
    from lmmformula.repl.doing.fitting import Fit


def demo(options: Namespace) -> None:
    """Show the coffee example."""
    from lmmformula.api.demo import demo as show_demo

    show_demo(**_sampling(options))


def explain(options: Namespace) -> None:
    """Say what the formula means."""
    print(_model(options).explain())


def fit(options: Namespace) -> None:
    """Fit, and print the summary or a table."""
    found: Any = _model(options).fit(**_approximation(options))
    table = _table(found, options.table or "tidy")
    show(
        options, str(found) if options.table is None else table.to_string(index=False, line_width=screen_width()), table
    )
    if options.save is not None:
        found.save(options.save)


def stan(options: Namespace) -> None:
    """Print the program, or write it to files."""
    program = _model(options).stan(form=options.form, literals=options.literals)
    if options.output is None:
        print(program.code)
    else:
        program.write(options.output)
        print(f"written: {options.output}, and beside it data, a script and how to run them", file=sys.stderr)


def sample(options: Namespace) -> None:
    """Sample, and print the posterior."""
    posterior = _model(options).sample(**_sampling(options), **_engine(options))
    show(options, str(posterior), posterior.summary().reset_index())
    if options.save is not None:
        posterior.save(options.save)


def compare(options: Namespace) -> None:
    """Fit and sample, and print both."""
    from lmmformula.api.comparison import compare as side_by_side

    model = _model(options)
    found = side_by_side(model.fit(**_approximation(options)), model.sample(**_sampling(options), **_engine(options)))
    show(options, str(found), _compared(found.fixed, found.variance))


def power(options: Namespace) -> None:
    """Simulate the power."""
    name, equals, size = options.effect.rpartition("=")
    try:
        effect: Any = {name: float(size)} if equals else options.effect
    except ValueError:
        raise FitError(f"the size of an effect is a number, not '{size}'", hint="as in --effect Days=5") from None
    given = {name: getattr(options, name) for name in ("n_groups", "n", "alpha", "test", "seed")}
    choices = {name: value for name, value in given.items() if value is not None}
    found: Any = _model(options).fit()
    curve = found.power(effect, **choices)
    show(options, str(curve), curve.frame)


def repl(options: Namespace) -> int:
    """Hold a session: at a terminal with colours and completion, else line by line."""
    from lmmformula.repl.plain import run_lines
    from lmmformula.repl.session import Session
    from lmmformula.repl.state import data_from

    session = Session(None if options.data is None else data_from(options.data, _text(options)))
    if sys.stdin.isatty() and sys.stdout.isatty():
        from lmmformula.repl.terminal import run_terminal

        return run_terminal(session)
    return run_lines(session, sys.stdin, sys.stdout, sys.stderr)


def datasets(options: Namespace) -> None:
    """List the data sets, or print one."""
    import pandas as pd

    from lmmformula import datasets as shipped

    if options.name is not None:
        frame = shipped.load(options.name)
        show(options, frame.to_csv(index=False).rstrip("\n"), frame)
        return
    known = {name: shipped.catalogue()[name] for name in shipped.names()}
    lines = [
        folded(f"{name:<14}{about['n_rows']:>6} rows  {', '.join(about['columns'])}", 27)
        for name, about in known.items()
    ]
    rows = [(name, about["n_rows"], ", ".join(about["columns"])) for name, about in known.items()]
    show(options, "\n".join(lines), pd.DataFrame(rows, columns=["name", "rows", "columns"]))


def completion(options: Namespace) -> None:
    """Print a script for a shell."""
    print(completion_script(options.shell))


ACTIONS: dict[str, Callable[[Namespace], int | None]] = {
    "demo": demo,
    "explain": explain,
    "fit": fit,
    "stan": stan,
    "sample": sample,
    "compare": compare,
    "power": power,
    "repl": repl,
    "datasets": datasets,
    "completion": completion,
}


def _model(options: Namespace) -> "Model":
    from lmmformula.api.model import Model
    from lmmformula.present.explain import rows_left_out

    columns = {name: getattr(options, name) for name in ("weights", "loglik_weights", "offset")}
    frame = read_source(options.data, _text(options))
    if frame.attrs.get("remark"):
        note(f"{frame.attrs['name']}: {frame.attrs['remark']}")
    model = Model(options.formula, frame, family=options.family, priors=options.prior, **columns)
    if left_out := rows_left_out(model.design):
        note(f"of {model.design.n_given} rows {left_out}")
    return model


def _text(options: Namespace) -> TextOptions:
    """How text files are read."""
    return TextOptions(options.sep, options.na)


def _approximation(options: Namespace) -> dict[str, Any]:
    return {"reml": options.reml, "nagq": options.nagq, "curvature": options.curvature}


def _sampling(options: Namespace) -> dict[str, Any]:
    names = ("engine", "chains", "warmup", "draws", "seed")
    return {name: getattr(options, name) for name in names} | {"progress": sys.stderr.isatty()}


def _engine(options: Namespace) -> dict[str, Any]:
    """Gather the options of the engine that were given; it checks them itself."""
    names = ("form", "algorithm", "adapt_delta", "max_treedepth", "thin", "metric")
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def _table(found: "Fit", name: str) -> "pd.DataFrame":
    table: pd.DataFrame
    match name:
        case "glance":
            table = found.glance(frame="pandas")
        case "augment":
            table = found.augment(frame="pandas").rename_axis("row").reset_index()
        case "ranef":
            table = _effects(found)
        case "anova":
            table = found.anova().frame.rename_axis("term").reset_index()
        case _:
            table = found.tidy(frame="pandas")
    return table


def _effects(found: "Fit") -> "pd.DataFrame":
    """One row per group, level and coefficient."""
    import pandas as pd

    rows = [
        (group, level, name, frame.loc[level, name])
        for group, frame in found.ranef().items()
        for level in frame.index
        for name in frame.columns
    ]
    return pd.DataFrame(rows, columns=["group", "level", "term", "estimate"])


def _compared(fixed: "pd.DataFrame", variance: "pd.DataFrame") -> "pd.DataFrame":
    """Join fixed effects and variance parameters."""
    import pandas as pd

    parts = [fixed.reset_index().assign(group=""), variance.reset_index()]
    frame = pd.concat(parts, ignore_index=True)
    return frame[["group", *(column for column in frame.columns if column != "group")]]
