"""From a model to its Stan program, and from there to its posterior."""

from typing import TYPE_CHECKING, Any

from lmmformula.api.posterior import Posterior
from lmmformula.design.matrices import DesignMatrices
from lmmformula.errors import FitError, is_text
from lmmformula.ir.family import GAUSSIAN
from lmmformula.results.warmstart import estimates_of, information_of
from lmmformula.stan.engines import sample
from lmmformula.stan.generate import StanProgram, stan_program
from lmmformula.stan.program import NOTHING_EXTRA, Extra
from lmmformula.stan.start import starting_point

if TYPE_CHECKING:
    from lmmformula.api.model import Model


def program_of(model: "Model", *, form: str, literals: bool = False, extra: Extra = NOTHING_EXTRA) -> StanProgram:
    """
    Generate the program of a model.

    The REML fit says how much each level's rows tell of its effects, on which the geometry of effects that are sampled
    depends; what is exported is what is run. Other families have no such fit: their effects are non-centred.

    extra : what the program has on request
    """
    if not is_text(form):
        raise FitError("form must be 'auto', 'marginal' or 'conditional'")
    if model.ir.family != GAUSSIAN or extra.prior_only:
        if not model.design.has_rows:
            raise FitError("the conditional form of a program reads the rows of the data, which were not kept")
        form = "conditional" if extra.prior_only else form
        return stan_program(model.ir, model.design, form=form, literals=literals, extra=extra)
    information = information_of(model.design, model.reml_fit)
    data_form = "rows"
    if not model.design.has_rows:
        _refuse_rows(model.design, form)
        form, data_form = "marginal", "crossproducts"
    return stan_program(
        model.ir, model.design, form=form, data_form=data_form, literals=literals, information=information, extra=extra
    )


def _refuse_rows(design: DesignMatrices, form: str) -> None:
    """Refuse programs that read rows, which were not kept; the marginal form can read cross-products."""
    if form == "conditional" or not design.random_terms:
        what = "the conditional form of a program" if design.random_terms else "a program without random effects"
        raise FitError(f"{what} reads the rows of the data, which were not kept", hint="use form='marginal'")


def posterior_of(
    model: "Model",
    *,
    form: str,
    warm_start: bool,
    prior_only: bool = False,
    **options: Any,  # noqa: ANN401
) -> Posterior:
    """
    Sample the posterior of a model, or its prior.

    options : those of `lmmformula.stan.engines.sample`
    """
    program = program_of(model, form=form, extra=Extra(prior_only=prior_only))
    warm = warm_start and not prior_only and model.ir.family == GAUSSIAN
    start = starting_point(program, estimates_of(model.reml_fit)) if warm else None
    draws = sample(program, start=start, **options)
    parts = (model.ir, model.schema, model.design, program, draws, model.table, model.data_name, model.na_action)
    return Posterior(*parts)
