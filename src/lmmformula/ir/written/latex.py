"""A model in mathematics: its level-one equation, the distribution of its random effects, its priors."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from lmmformula.covariances.structure import raised
from lmmformula.errors import printable
from lmmformula.ir.expressions import Expression, label, number
from lmmformula.ir.priors import Prior
from lmmformula.ir.records import ModelRecord, RandomTerm
from lmmformula.ir.terms import Term

ESCAPES = {
    "\\": r"\backslash ", "^": r"\hat{\ }", "~": r"\sim ", "|": r"\vert ", "<": "<", ">": ">",
    **{character: "\\" + character for character in "{}$&#_%"},
}  # fmt: skip
"""Characters that mean something to LaTeX -> what prints them in a formula: in text, notebooks know few of these."""

SPECIAL = re.compile(f"([{re.escape(''.join(ESCAPES))}])")

WRITTEN_OUT = 3
"""A covariance matrix of more coefficients than this is a symbol."""


def latex(ir: ModelRecord) -> str:
    r"""
    Write a model as a LaTeX `aligned` environment.

    i numbers rows, `\text{group}[i]` is the level of row i; a factor's coefficient stands for all of its columns.
    """
    tags = [rf"^{{({k})}}" if len(ir.random) > 1 else "" for k, _ in enumerate(ir.random, 1)]
    random = list(zip(tags, ir.random, strict=True))
    lines = [_mean(ir, random), *(_distribution(tag, term) for tag, term in random)]
    if ir.family.name == "gaussian":
        lines.append(r"\varepsilon_i &\sim \mathcal{N}\left(0, \sigma^2\right)")
    lines += map(_prior, ir.priors)
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def text(name: str) -> str:
    r"""
    Write a name upright, with what LaTeX would read as a command escaped.

    >>> text("days"), text("my_var")
    ('\\text{days}', '{\\text{my}\\_\\text{var}}')
    """
    parts = [part for part in SPECIAL.split(printable(name)) if part]
    written = [ESCAPES.get(part) or rf"\text{{{part}}}" for part in parts]
    return written[0] if len(written) == 1 else f"{{{''.join(written)}}}"


def _mean(ir: ModelRecord, random: Sequence[tuple[str, RandomTerm]]) -> str:
    """Write what the response, or the link of its mean, is a sum of; a tag tells random-effects terms apart."""
    intercept = ir.fixed.intercept and not ir.family.ordinal
    fixed = [rf"\beta_{{{k}}}{_times(term)}" for k, term in _numbered(intercept, ir.fixed.terms)]
    if ir.fixed.pending is not None:
        fixed = [rf"\beta \cdot {text(label(ir.fixed.pending))}"]
    offsets = [_row(offset) for offset in ir.offsets]
    effects = chain.from_iterable(_effects(tag, term) for tag, term in random)
    total = " + ".join([*fixed, *offsets, *effects]) or "0"
    response = rf"{text(ir.response.label)}_i"
    if ir.family.name == "gaussian" and ir.family.link == "identity":
        return rf"{response} &= {total} + \varepsilon_i"
    if ir.family.ordinal:
        return rf"{text(ir.family.link)}(P({response} \le k)) &= \gamma_k - \left({total}\right)"
    if ir.family.name == "gaussian":
        return rf"{response} &= \mu_i + \varepsilon_i, \quad {text(ir.family.link)}(\mu_i) = {total}"
    return rf"{response} &\sim {text(ir.family.name)}(\mu_i), \quad {text(ir.family.link)}(\mu_i) = {total}"


def _numbered(intercept: bool, terms: Sequence[Term]) -> Iterator[tuple[int, Term]]:  # noqa: FBT001 (data, not a mode)
    """Give coefficients numbers, the intercept 0."""
    return enumerate([Term(), *terms] if intercept else terms, 0 if intercept else 1)


def _times(term: Term) -> str:
    """Write the column that a coefficient multiplies, nothing for the intercept."""
    return r" \, " + r" \cdot ".join(map(_row, term.factors)) if term.factors else ""


def _row(expression: Expression) -> str:
    return f"{text(label(expression))}_i"


def _effects(tag: str, term: RandomTerm) -> Iterator[str]:
    """Write what a random-effects term adds to the mean."""
    for k, column in _numbered(term.intercept, term.terms):
        yield rf"u{tag}_{{{k}, {text(term.group_name)}[i]}}{_times(column)}"


def _distribution(tag: str, term: RandomTerm) -> str:
    """Write the distribution of the random effects of one level."""
    coefficients = [k for k, _ in _numbered(term.intercept, term.terms)]
    effects = [rf"u{tag}_{{{k}, j}}" for k in coefficients]
    vector = effects[0] if len(effects) == 1 else _matrix([[effect] for effect in effects])
    levels = rf"\quad j = 1, \dots, J_{{{text(term.group_name)}}}"
    return rf"{vector} &\sim \mathcal{{N}}\left(0, {_covariance(tag, term, coefficients)}\right), {levels}"


def _covariance(tag: str, term: RandomTerm, coefficients: list[int]) -> str:
    """Write a covariance matrix of standard deviations tau and correlations rho."""
    if len(coefficients) > WRITTEN_OUT:
        return rf"\Sigma{tag}"
    tau = {k: rf"\tau{tag}" + ("" if term.covariance.homogeneous else f"_{{{k}}}") for k in coefficients}

    def element(i: int, j: int) -> str:
        scale = raised(tau[i], 2) if tau[i] == tau[j] else f"{tau[i]} {tau[j]}"
        correlation = "" if i == j else term.covariance.latex_correlation(rf"\rho{tag}", i, j)
        return scale if i == j else f"{correlation} {scale}" if correlation else "0"

    rows = [[element(i, j) for j in coefficients] for i in coefficients]
    return rows[0][0] if len(rows) == 1 else _matrix(rows)


def _matrix(rows: list[list[str]]) -> str:
    return r"\begin{pmatrix} " + r" \\ ".join(" & ".join(row) for row in rows) + r" \end{pmatrix}"


def _prior(prior: Prior) -> str:
    """Write a prior statement."""
    symbols = {
        "Intercept": r"\beta_0",
        "b": r"\beta",
        "sd": r"\tau",
        "cor": "R",
        "sigma": r"\sigma",
        "cutpoint": r"\gamma",
    }
    symbol = symbols.get(prior.target.parameter, text(prior.target.parameter))
    selectors = ", ".join(map(text, prior.target.selectors))
    arguments = ", ".join(map(number, prior.arguments))
    return rf"{symbol}{f'_{{{selectors}}}' if selectors else ''} &\sim {text(prior.distribution)}({arguments})"
