"""The response row by row in a program: data, likelihood, and what is generated of each row."""

from collections.abc import Iterator

from lmmformula.stan.program.record import Covariate, Factor, Program
from lmmformula.stan.text.notes import label, noted
from lmmformula.stan.text.pieces import Piece, filled

TRIALS = "array[N] int<lower=0> trials; // of which y are successes"
WEIGHTS = Piece(
    data="vector<lower=0>[N] weights; // the residual variance is sigma^2 / weights",
    transformed_data="vector[N] root_weights = sqrt(weights);",
)
LOGLIK_WEIGHTS = "vector<lower=0>[N] loglik_weights; // factors of the log density of each row"
OFFSETS = "vector[N] offsets; // known part of the linear predictor"

WITH_ETA = """\
{
  vector[N] eta = $eta;
  $statements
}"""
WEIGHTED = """\
for (n in 1 : N) {
  target += loglik_weights[n] * $density;
}"""
ROWS = """\
for (n in 1 : N) {
  $statements
}"""


def observed(program: Program) -> Piece:
    """Declare the response, with its trials."""
    words, categories = program.likelihood, program.fixed.categories
    about = label(program.response + (": " if categories else "") + " < ".join(categories))
    lines = [noted(filled(words.y, K=len(categories)), about), TRIALS if words.trials else ""]
    return Piece(data="\n".join(lines))


def row_by_row(program: Program) -> list[Piece]:
    """Declare what else there is of each row: weights, offsets, and what random effects multiply."""
    pieces = [WEIGHTS] if program.weights else []
    lines = [LOGLIK_WEIGHTS] if program.loglik_weights else []
    lines += [OFFSETS] if program.offset else []
    lines += [noted(f"vector[N] {column.name};", label(column.label)) for column in program.columns]
    return [*pieces, Piece(data="\n".join(lines))]


def functions(program: Program) -> Piece:
    """Define what the likelihood and what is generated need of functions."""
    words, extra = program.likelihood, program.extra
    needed = {
        words.row_function: extra.log_lik or program.loglik_weights,
        words.rows_function: program.form == "conditional" and not (extra.prior_only or program.loglik_weights),
        words.draw_function: extra.y_rep,
    }
    return Piece(functions="\n".join(text for text, wanted in needed.items() if wanted))


# --- the conditional form ---------------------------------------------------------------------------------------------


def likelihood(program: Program) -> Piece:
    """Write the density of the response given all effects."""
    if program.extra.prior_only:
        return Piece()
    words, fixed = program.likelihood, program.fixed
    title = f"// {label(program.response)}"
    intercept = fixed.intercept_name if fixed.intercept else ""
    X = "X_c" if fixed.centred else "X"
    alone = not (program.factors or program.offset)
    names = _of_rows(program) | {"X": X}
    if program.loglik_weights:
        statements = filled(WEIGHTED, density=_of_row(program, words.row_density))
        body = filled(WITH_ETA, eta=predictor(program, intercept, X), statements=statements)
        return Piece(likelihood=f"{title}\n{body}")
    glm = words.glm if fixed.K and (alone or "$eta" in words.glm) else ""
    whole = filled(f"{words.note}\ny ~ $distribution;", distribution=glm or words.distribution)
    if alone and (glm or not (fixed.K or words.rows or fixed.categories)):
        body = filled(whole, **names | {"eta": intercept or "0"})
    else:
        eta = predictor(program, intercept, "" if glm else X)
        body = filled(WITH_ETA, eta=eta, statements=filled(words.rows or whole, **names))
    return Piece(transformed_data=filled(words.order, **names), likelihood=f"{title}\n{body}")


def predictor(program: Program, intercept: str, X: str) -> str:
    """
    Write the linear predictor of all rows.

    intercept, X : of the fixed effects; "" for none
    """
    parts = ["offsets"] if program.offset else []
    parts += [intercept] if intercept else []
    parts += [
        _effect(factor, number, covariate)
        for factor in program.factors
        for number, covariate in enumerate(factor.covariates, start=1)
    ]
    parts += [f"{X} * b"] if X and program.fixed.K else []
    if parts == [intercept]:
        return f"rep_vector({intercept}, N)"
    return " + ".join(parts) or "zeros_vector(N)"


def _effect(factor: Factor, number: int, covariate: Covariate) -> str:
    """Write what a random coefficient adds to each row."""
    column = f", {number}" if factor.k > 1 else ""
    effect = f"{factor.name('u')}[{factor.name('level')}{column}]"
    effect = f"to_vector({effect})" if factor.simple and factor.k > 1 else effect
    return f"{effect} .* {covariate.text}" if covariate.text else effect


# --- what is generated of each row ------------------------------------------------------------------------------------


def generated(program: Program) -> Piece:
    """Generate log densities of the rows, and responses like them, on request."""
    words, extra = program.likelihood, program.extra
    if not (extra.log_lik or extra.y_rep):
        return Piece()
    declared = ["vector[N] log_lik;"] if extra.log_lik else []
    declared += ["array[N] int y_rep;" if words.integer else "vector[N] y_rep;"] if extra.y_rep else []
    eta = predictor(program, "Intercept" if program.fixed.intercept else "", "X")
    statements = filled(ROWS, statements="\n".join(_generated(program)))
    return Piece(generated_quantities="\n".join([*declared, filled(WITH_ETA, eta=eta, statements=statements)]))


def _generated(program: Program) -> Iterator[str]:
    words, extra = program.likelihood, program.extra
    if extra.log_lik:
        factor = "loglik_weights[n] * " if program.loglik_weights else ""
        yield f"log_lik[n] = {factor}{_of_row(program, words.row_density, 'cutpoint')};"
    if extra.y_rep:
        yield f"y_rep[n] = {_of_row(program, words.row_draw, 'cutpoint')};"


def _of_rows(program: Program) -> dict[str, str]:
    """Name what a family's templates speak of, of all rows."""
    return {
        "eta": "eta",
        "sigma": "sigma ./ root_weights" if program.weights else "sigma",
        "trials": "trials",
        "cutpoint": program.fixed.cutpoint_name,
        "K": str(len(program.fixed.categories)),
    }


def _of_row(program: Program, template: str, cutpoint: str = "") -> str:
    """Fill a family's template for row n."""
    sigma = "sigma / root_weights[n]" if program.weights else "sigma"
    own = {"eta": "eta[n]", "sigma": sigma, "trials": "trials[n]", "cutpoint": cutpoint or program.fixed.cutpoint_name}
    return filled(template, **own)
