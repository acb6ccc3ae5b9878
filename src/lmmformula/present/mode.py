"""A posterior mode as text."""

from lmmformula.errors import printable
from lmmformula.present.formula import formula_lines
from lmmformula.present.numbers import SUMMARY_DIGITS, format_number, format_numbers
from lmmformula.present.tables import vector_lines
from lmmformula.results.posteriors.draws import parameters_of
from lmmformula.results.posteriors.mode import ModeResult


def mode_text(result: ModeResult) -> str:
    """Print heading, variance components, and fixed effects."""
    point = result.point
    scale = "" if point.raw.jacobian else " of the parameters as declared,"
    heading = "\n".join(formula_lines(f"Posterior mode{scale} of ", point.ir))
    groups = "".join(f"; {name}, {count} levels" for name, count in result.ngroups.items())
    name = f"{point.data_name}: " if point.data_name else ""
    cells = format_numbers(list(result.fixef), SUMMARY_DIGITS)
    density = format_number(result.log_density, 6)
    quantities, values = parameters_of(point.design, point.draws)
    others = {q.label: float(values[0, 0, i]) for i, q in enumerate(quantities) if q.part == "family"}
    own = vector_lines(list(others), format_numbers(list(others.values()), SUMMARY_DIGITS), gap=2) if others else []
    sections = [
        f"{heading}\n"
        + printable(f"   Data: {name}{result.nobs} rows{groups}")
        + f"\nEngine: {point.raw.engine}, {point.program.form} form, log density {density}",
        f"Standard deviations and correlations:\n{result.varcorr}" if len(result.varcorr.frame) else "",
        "\n".join([f"{'Cutpoints' if point.design.categories else 'Family'}:", *own]) if own else "",
        "\n".join(["Fixed effects:", *vector_lines(list(result.fixef.index), cells, gap=2)]) if cells else "",
    ]
    return "\n\n".join(section for section in sections if section)
