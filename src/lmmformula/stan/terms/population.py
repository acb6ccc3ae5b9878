"""The fixed effects in a program: columns of X, and the intercept or cutpoints at their means."""

from lmmformula.stan.program.record import Program
from lmmformula.stan.text.notes import label, labels, noted
from lmmformula.stan.text.pieces import Piece, filled

LEGEND = "X, b: predictors and their coefficients"

CENTRED = """\
row_vector[$K] X_means = rep_row_vector(1.0 / N, N) * X;
matrix[N, $K] X_c = X - rep_matrix(X_means, N);"""

INTERCEPT = "real Intercept = Intercept_c - X_means * b;"
CUTPOINTS = "vector[$C] cutpoint = cutpoint_c + X_means * b;"


def population(program: Program) -> Piece:
    """Say what the fixed effects contribute, beside their parameters."""
    fixed = program.fixed
    if not fixed.K:
        return Piece()
    rows = program.data_form == "rows"
    back = INTERCEPT
    if fixed.categories:
        cutpoints = filled(CUTPOINTS, C=len(fixed.cutpoints))
        back = noted(cutpoints, label(", ".join(fixed.cutpoints)))
    return Piece(
        legend=LEGEND,
        data=noted(filled("matrix[N, $K] X;", K=fixed.K), labels(fixed.labels)) if rows else "",
        transformed_data=filled(CENTRED, K=fixed.K) if rows and fixed.centred else "",
        generated_quantities=back if fixed.centred else "",
    )
