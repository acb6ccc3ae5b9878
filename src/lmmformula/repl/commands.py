"""The commands of a session: one table, name -> function, usage, help, and what completes its argument."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from lmmformula.errors import FormulaError, printable
from lmmformula.formula.parse import parse_text
from lmmformula.present.explain import equations
from lmmformula.repl import describe
from lmmformula.repl.doing import changing, files, fitting, pictures, sampling
from lmmformula.repl.doing.diff import do_diff
from lmmformula.repl.doing.families import model_text
from lmmformula.repl.doing.simplify import do_simplify
from lmmformula.repl.state import State, States
from lmmformula.screen import folded, paged

Takes = Literal[
    "nothing", "data", "file", "formula", "prior", "group", "command", "values", "picture", "type", "method", "drop",
    "latex", "family", "weights", "sampling", "saved", "names",
]  # fmt: skip
"""What completes the argument of a command."""


class Quit(Exception):  # noqa: N818 (not an error)
    """The user has had enough."""


@dataclass(frozen=True, slots=True)
class Command:
    """
    One command.

    run : takes the session and the argument, returns what is to be printed
    usage : the argument, as the help shows it
    about : one line of help
    takes : what completes its argument
    code : whether it prints code, whose lines are left alone
    """

    run: Callable[[States, str], str]
    usage: str
    about: str
    takes: Takes = "nothing"
    code: bool = False


def carry_out(session: States, text: str) -> str:
    """Do what a line says: a command, a formula, or prior statements."""
    if text.startswith("#"):
        return ""
    word, _, rest = text.partition(" ")
    if word in WORDS and "~" not in text:
        return _run(session, WORDS[word], rest)
    if not text.startswith(":"):
        return changing.statement(session, text)
    name, _, argument = text[1:].partition(" ")
    return _run(session, name, argument)


def _run(session: States, name: str, argument: str) -> str:
    command, argument = command_of(name), argument.strip()
    if argument and not command.usage:
        raise FormulaError(f"`:{printable(name)}` takes no argument", hint=command.about)
    said = command.run(session, argument)
    return said if command.code else paged(said)


WORDS = {
    **dict.fromkeys(("help", "help()", "?"), "help"),
    **dict.fromkeys(("quit", "quit()", "exit", "exit()", "q", "q()"), "quit"),
}
"""What is typed alone where another program would take it -> the command that is meant."""


ELSEWHERE: dict[str, str] = {
    **dict.fromkeys(("aic", "bic", "loglik", "coef", "coefs", "fixef", "varcorr", "print", "lmer", "glmer"), "fit"),
    **dict.fromkeys(("str", "names", "colnames", "describe"), "columns"),
    **dict.fromkeys(("read", "use", "open", "import"), "data"),
    **dict.fromkeys(("pairs", "contrast", "contrasts", "lsmeans", "means"), "emmeans"),
    **dict.fromkeys(("brm", "mcmc", "draws", "posterior", "diagnostics", "rhat"), "sample"),
    **dict.fromkeys(("ranova", "drop1", "step"), "simplify"),
    **dict.fromkeys(("code", "python"), "script"),
    **dict.fromkeys(("back", "revert"), "undo"),
}
"""Command that another program would have -> what does that here."""


def command_of(name: str) -> Command:
    """Find a command by its name, or by a beginning that only one has."""
    name = WORDS.get(name, name)
    if name in COMMANDS:
        return COMMANDS[name]
    found = [known for known in COMMANDS if known.lower().startswith(name.lower())] if name else []
    if len(found) == 1:
        return COMMANDS[found[0]]
    other = ELSEWHERE.get(name.lower())
    near = found or ([other] if other else get_close_matches(name, COMMANDS, n=2))
    hint = f"did you mean {' or '.join(f':{known}' for known in near)}?" if near else ":help lists the commands"
    raise FormulaError(f"there is no command `:{printable(name)}`", hint=hint)


def do_columns(session: States, _: str) -> str:
    """Describe the columns."""
    return "\n".join(describe.column_lines(session.state.need_data().table))


def do_head(session: States, argument: str) -> str:
    """Print the first rows."""
    return "\n".join(describe.head_lines(session.state.need_data().table, _count(argument, 6)))


def do_terms(session: States, _: str) -> str:
    """Say which columns each term has."""
    return "\n".join(describe.term_lines(session.state.need_model().design))


def do_explain(session: States, _: str) -> str:
    """Say all that the formula means for the data."""
    session.note("print(model.explain())")
    return str(session.state.need_model().explain())


def do_x(session: States, argument: str) -> str:
    """Print the first rows of X."""
    return "\n".join(describe.x_lines(session.state.need_model().design, _count(argument, 6)))


def do_z(session: States, argument: str) -> str:
    """Print what stands in the first rows of Z."""
    return "\n".join(describe.z_lines(session.state.need_model().design, _count(argument, 6)))


def do_eq(session: States, argument: str) -> str:
    """Write the model in mathematics."""
    ir, model = session.state.need_ir(), session.state.model
    if argument not in ("", "latex"):
        raise FormulaError(f"mathematics is not written in `{printable(argument)}`", hint=":eq, or :eq latex")
    if argument == "latex" or model is None:
        return ir.latex()
    return paged("\n".join(equations(ir.family, model.design)))


def do_ast(session: States, _: str) -> str:
    """Draw the syntax tree of what was typed."""
    state = session.state
    state.need_ir()
    return "\n".join(describe.tree_lines(parse_text("\n".join([state.formula, *map(str, state.priors)]))))


def do_ir(session: States, _: str) -> str:
    """Draw the model that the formula means."""
    return "\n".join(describe.tree_lines(session.state.need_ir()))


def do_history(session: States, _: str) -> str:
    """List the models of the session, those that were undone last."""
    lines: dict[str, str] = {}
    for state in session.past:
        _remember(lines, state)
    kept = set(lines)
    for state in session.undone:
        _remember(lines, state)
    shown = [f"{text}{known}{'' if text in kept else '   (undone)'}" for text, known in lines.items()]
    return "\n".join(f"{i}. {line}" for i, line in enumerate(shown, start=1)) or "no models yet"


def _remember(lines: dict[str, str], state: State) -> None:
    """Add a state's model to the list, and the AIC of its fit."""
    if state.ir is None:
        return
    key = model_text(state.ir) + state.row_text + "".join(f"; {prior}" for prior in state.priors)
    lines[key] = f"   AIC {state.fit.aic:.1f}" if state.fit is not None else lines.get(key, "")


def do_script(session: States, argument: str) -> str:
    """`:script [FILE]`: the Python that does what was done and not undone; to a file, if one is named."""
    if argument:
        return files.do_save(session, argument if argument.endswith(".py") else f"{argument}.py")
    return files.script_text(session)


def do_help(_: States, argument: str) -> str:
    """List the commands, or tell about one."""
    if argument:
        name = argument.removeprefix(":")
        command = command_of(name)
        return f"{_signature(next(key for key, value in COMMANDS.items() if value is command))}\n{command.about}"
    width = max(len(_signature(name)) for name in COMMANDS)
    lines = (f"{_signature(n).ljust(width)}  {c.about}" for n, c in COMMANDS.items())
    return "\n".join([INTRODUCTION, *(folded(line, width + 2) for line in lines)])


def do_quit(_session: States, _argument: str) -> str:
    """End the session."""
    raise Quit


def _signature(name: str) -> str:
    return f":{name} {COMMANDS[name].usage}".rstrip()


def _count(argument: str, default: int) -> int:
    if not argument:
        return default
    if not argument.isdecimal() or not int(argument):
        raise FormulaError(f"`{printable(argument)}` is not a number of rows", hint="as in :head 10")
    return int(argument)


INTRODUCTION = """A line is a formula, a prior, or a command:
  y ~ x + (x | group)     makes this the model
  . ~ . - x               changes the model; each . is what it has on that side
  b[x] ~ normal(0, 5)     a prior of the model
"""

COMMANDS: dict[str, Command] = {
    "data": Command(
        changing.do_data, "[FILE|NAME]", "read data (behind a file: sep=; na=WORD); alone, describe them", "data"
    ),
    "columns": Command(do_columns, "", "describe the columns: kinds, levels, missing values"),
    "head": Command(do_head, "[N]", "the first rows"),
    "terms": Command(do_terms, "", "the terms of the model and their columns"),
    "explain": Command(do_explain, "", "all that the formula means for the data"),
    "X": Command(do_x, "[N]", "the first rows of the fixed effects' matrix"),
    "Z": Command(do_z, "[N]", "what stands in the first rows of the random effects' matrix"),
    "eq": Command(do_eq, "[latex]", "the model in mathematics", "latex", code=True),
    "ast": Command(do_ast, "", "the syntax tree of what was typed"),
    "ir": Command(do_ir, "", "the model that the formula means, as a tree"),
    "family": Command(
        changing.do_family, "[NAME(LINK)]", "the response's distribution; without an argument, list all", "family"
    ),
    "weights": Command(
        changing.do_weights, "[COLUMN|none]", "weights of the rows; of binomial shares trials", "weights"
    ),
    "loglik_weights": Command(
        changing.do_loglik_weights, "[COLUMN|none]", "factors of the log density of each row", "weights"
    ),
    "fit": Command(fitting.do_fit, "[reml|ml|nagq=9] [FORMULA]", "fit the model", "formula"),
    "summary": Command(fitting.do_summary, "", "the fit with tests of its coefficients"),
    "anova": Command(fitting.do_anova, "[I|II|III]", "tests of the fixed terms", "type"),
    "confint": Command(
        fitting.do_confint, "[METHOD]", "intervals: wald, profile, boot; quantile, hdi of draws", "method"
    ),
    "ranef": Command(fitting.do_ranef, "[GROUP]", "conditional modes of the random effects", "group"),
    "emmeans": Command(fitting.do_emmeans, "f [* g] [| by]", "marginal means and their differences", "names"),
    "predict": Command(fitting.do_predict, "[x=1 g=a|FILE]", "predictions for values, a file, or the data", "values"),
    "plot": Command(pictures.do_plot, "[KIND] [FILE]", "draw to a file: " + ", ".join(pictures.PICTURES), "picture"),
    "stan": Command(
        sampling.do_stan, "[FILE]", "the Stan program; to a file, with data and a script", "file", code=True
    ),
    "prior": Command(changing.do_prior, "[STATEMENT|clear]", "set a prior, or clear all", "prior"),
    "priors": Command(changing.do_priors, "", "the prior of each parameter, defaults included"),
    "sample": Command(
        sampling.do_sample, "[N] [seed=1 ...]", "sample the posterior: N draws of each chain", "sampling"
    ),
    "optimize": Command(sampling.do_optimize, "[seed=1 ...]", "the mode of the posterior: quick, without its spread"),
    "compare": Command(sampling.do_compare, "", "fit and posterior side by side"),
    "loo": Command(sampling.do_loo, "", "leave-one-out cross-validation of the posterior, and of the model before"),
    "diff": Command(do_diff, "", "this model against the one before"),
    "simplify": Command(do_simplify, "[drop]", "the random effects least supported; drop them", "drop"),
    "undo": Command(changing.do_undo, "", "back to the model before the last change"),
    "history": Command(do_history, "", "the models of this session"),
    "save": Command(
        files.do_save, "FILE", f"write {', '.join(f'{end} ({what})' for end, what in files.KINDS.items())}", "file"
    ),
    "load": Command(files.do_load, "FILE", "read a fit (.json) or a posterior (.nc), and its model", "saved"),
    "script": Command(do_script, "[FILE]", "the Python that does the same; to a file", "file", code=True),
    "help": Command(do_help, "[COMMAND]", "this list, or one command", "command"),
    "quit": Command(do_quit, "", "end the session"),
}
