"""The comment above a program: the model in words and maths, what letters mean, and how to run it."""

from collections.abc import Iterable

from lmmformula.stan.program.record import Program
from lmmformula.stan.text.notes import label, labels
from lmmformula.stan.text.pieces import filled

HEADER = """\
// $formula
//
// $family family, $link link; $sizes
//
$maths
//
// Written by lmmformula$version, for Stan $stan or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli"""

GAUSSIAN = """\
//   y = $mean + e
//   e ~ normal(0, $sigma)"""

OTHER = """\
//   eta = $mean
//   y ~ $distribution"""

EFFECTS = "//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))"

MARGINAL = """\
//
// Marginal form: the likelihood is that of y with u of $names integrated out, in sums over rows that are formed once, \
so that its cost does not grow with the number of rows. That u is drawn from its exact distribution given the \
parameters in generated quantities."""

PRIOR_ONLY = """\
//
// Of the prior alone: there is no likelihood."""


def header(program: Program, legends: Iterable[str], version: str) -> str:
    """
    Write the header.

    legends : what letters mean
    """
    levels = (f"{factor.n_levels} levels of {label(factor.label)}" for factor in program.factors)
    return filled(
        HEADER,
        formula=label(program.formula, 400),
        family=program.family,
        link=program.link,
        sizes=", ".join([f"{program.n_rows} rows", *levels]),
        maths="\n".join([*_maths(program), *_legend(legends)]),
        version=f" {version}" if version else "",
        stan=".".join(map(str, program.stan_version)),
    )


def _maths(program: Program) -> list[str]:
    fixed = program.fixed
    terms = {"Intercept": fixed.intercept, "X * b": fixed.K, "offsets": program.offset, "Z * u": program.factors}
    mean = " + ".join(text for text, there in terms.items() if there)
    if program.family == "gaussian":
        sigma = "sigma / sqrt(weights)" if program.weights else "sigma"
        lines = [filled(GAUSSIAN if mean else GAUSSIAN.replace("$mean + ", ""), mean=mean, sigma=sigma)]
    else:
        lines = [filled(OTHER, mean=mean or "0", distribution=program.likelihood.maths)]
    lines += [EFFECTS] if program.factors else []
    integrated = [factor.label for factor in program.eliminated]
    lines += [filled(MARGINAL, names=labels(integrated))] if integrated else []
    return lines + ([PRIOR_ONLY] if program.extra.prior_only else [])


def _legend(legends: Iterable[str]) -> list[str]:
    told = dict.fromkeys(line for legend in legends for line in legend.split("\n") if line)
    return ["//", *(f"//   {line}" for line in told)] if told else []
