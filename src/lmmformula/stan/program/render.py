"""A Stan program as data -> its text: the pieces of its terms, put together in their order."""

from collections.abc import Iterator

from lmmformula.stan.program.record import Program, Section
from lmmformula.stan.terms import grouped, response, sums
from lmmformula.stan.terms.header import header
from lmmformula.stan.terms.integrated import integrated
from lmmformula.stan.terms.population import population
from lmmformula.stan.text.notes import label, noted, short
from lmmformula.stan.text.pieces import Piece, joined


def render(program: Program, *, literals: bool = False, version: str = "") -> str:
    """
    Write the program's text.

    literals : write the numbers of the priors in place, instead of by their names in the data block
    version : of this package, for the header
    """
    pieces = list(_pieces(program, literals=literals))
    return joined(header(program, (piece.legend for piece in pieces), version), pieces)


def _pieces(program: Program, *, literals: bool) -> Iterator[Piece]:
    rows = program.data_form == "rows"
    yield Piece(data="int<lower=1> N; // rows")
    if rows:
        yield response.observed(program)
    yield population(program)
    if rows:
        yield from response.row_by_row(program)
        yield from map(grouped.levels, program.factors)
    yield response.functions(program)
    yield from (Piece(functions=structure.stan_function) for structure in program.structures)
    if program.form == "marginal":
        yield sums.from_rows(program) if rows else sums.from_data(program)
    yield _parameters(program, literals=literals)
    for factor in sorted(program.factors, key=lambda factor: factor.carries_intercept):
        yield grouped.assembled(factor)
        yield Piece(transformed_parameters=grouped.effects(program, factor).transformed_parameters)
    yield from (_section(program, section, literals=literals) for section in program.sections)
    yield from map(grouped.correlations, program.factors)
    yield integrated(program) if program.form == "marginal" else response.likelihood(program)
    yield response.generated(program)


def _parameters(program: Program, *, literals: bool) -> Piece:
    """Declare the parameters, and the numbers of their priors."""
    numbers = () if literals else program.numbers
    data = [noted(f"{number.type} {number.name};", short(number.values)) for number in numbers]
    declared = [noted(d.text(literals=literals), label(d.comment, 300)) for d in program.parameters]
    return Piece(data="\n".join(data), parameters="\n".join(declared))


def _section(program: Program, section: Section, *, literals: bool) -> Piece:
    """Write the priors of a section, and how the effects of its factor are distributed."""
    own = grouped.effects(program, section.factor) if section.factor else Piece()
    statements = (statement.text(literals=literals) for statement in section.statements)
    return Piece(legend=own.legend, priors="\n".join([f"// {label(section.title)}", *statements, own.priors]))
