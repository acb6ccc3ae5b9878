"""From a model to its Stan program, and from there to its posterior."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Protocol

from lmmformula.api.mode import PosteriorMode
from lmmformula.api.pilot import Pilot
from lmmformula.api.posterior import Posterior
from lmmformula.design.design import Design
from lmmformula.errors import FitError, PriorWarning, SamplingWarning, is_text, warn
from lmmformula.ir.family import GAUSSIAN
from lmmformula.results.arguments import check_flag
from lmmformula.results.estimates import Specified
from lmmformula.results.posteriors.warmstart import contradicted, estimates_of, information_of
from lmmformula.stan.draws import Diagnostics, Draws
from lmmformula.stan.engines.choice import optimize, sample
from lmmformula.stan.generate import StanProgram, stan_program
from lmmformula.stan.program.edited import check_read_back, edited, same_parameters
from lmmformula.stan.program.priors import PriorRow
from lmmformula.stan.program.record import Extra
from lmmformula.stan.start import StartingPoint, starting_point


class Piloted(Specified, Protocol):
    """A model on its data, which can be fitted to start a sampler from."""

    @property
    def pilot(self) -> Pilot:
        """The fit on which the Stan program's geometry and start rest."""


@dataclass(frozen=True, slots=True)
class ProgramOptions:
    """What a user may choose of a program; `Model.stan` tells what each means."""

    form: str = "auto"
    data_form: str = "auto"
    geometry: Mapping[str, str] | None = None
    literals: bool = False
    log_lik: bool = False
    y_rep: bool = False
    prior_only: bool = False

    @property
    def extra(self) -> Extra:
        """What the program has on request."""
        return Extra(log_lik=self.log_lik, y_rep=self.y_rep, prior_only=self.prior_only)


def program_of(model: Piloted, options: ProgramOptions) -> StanProgram:
    """
    Generate the program of a model.

    The fit says how much each level's rows tell of its effects, on which the geometry of effects that are sampled
    depends; what is exported is what is run. Where there is no fit effects are non-centred.
    """
    _check(options)
    form, data_form = options.form, options.data_form
    if not model.design.has_rows:
        if options.prior_only or model.ir.family != GAUSSIAN:
            model.design.need_rows("the conditional form of a program")
        _refuse_rows(model.design, options)
        form, data_form = "marginal", "crossproducts"
    elif data_form == "auto":
        data_form = "rows"
    generate = partial(
        stan_program,
        model.ir,
        model.design,
        form="conditional" if options.prior_only else form,
        data_form=data_form,
        literals=options.literals,
        geometry=options.geometry,
        extra=options.extra,
    )
    program = generate()
    if options.prior_only or not chosen_by_fit(program, options):
        return program
    fit = model.pilot.fit
    return program if fit is None else generate(information=information_of(model.design, fit))


def chosen_by_fit(program: StanProgram, options: ProgramOptions) -> bool:
    """Tell whether a program samples effects whose geometry is left to a fit."""
    return any(factor.label not in (options.geometry or {}) for factor in program.program.sampled)


def priors_of(model: Piloted) -> tuple[PriorRow, ...]:
    """Return the priors of a model, which need no fit."""
    return program_of(model, ProgramOptions(prior_only=model.design.has_rows)).priors


def _check(options: ProgramOptions) -> None:
    """Refuse what is none of the choices."""
    choices = {"form": ("auto", "marginal", "conditional"), "data_form": ("auto", "rows", "crossproducts")}
    for name, value in (("form", options.form), ("data_form", options.data_form)):
        if not is_text(value) or value not in choices[name]:
            raise FitError(f"{name}={value!r:.60} is not known", hint=f"the choices are: {', '.join(choices[name])}")
    for name, flag in (("literals", options.literals), ("log_lik", options.log_lik), ("y_rep", options.y_rep)):
        check_flag(name, flag)
    if not isinstance(options.geometry, Mapping | None):
        hint = 'name the grouping factor: geometry={"group": "centered"}'
        raise FitError(f"geometry is a mapping, not {options.geometry!r:.60}", hint=hint)


def _refuse_rows(design: Design, options: ProgramOptions) -> None:
    """Refuse programs that read rows, which were not kept; the marginal form can read cross-products."""
    if options.data_form == "rows":
        design.need_rows("data_form='rows'", "use data_form='crossproducts'")
    if not design.random_terms:
        design.need_rows("a program without random effects")
    if options.form == "conditional":
        design.need_rows("the conditional form of a program", "use form='marginal'")


def mode_of(model: Piloted, *, warm_start: bool, **options: Any) -> PosteriorMode:  # noqa: ANN401
    """
    Find the mode of a model's posterior.

    options : those of `ProgramOptions`, and those of `lmmformula.stan.engines.choice.optimize`
    """
    program, start = _prepared(model, options, warm_start=warm_start)
    if program.program.sampled:
        warn(
            "random effects are sampled along with their standard deviations: of all of them together the mode is "
            "often where a standard deviation is near zero, and it may not be found"
        )
    return PosteriorMode(_result(model, program, optimize(program, start=start, **options)))


def posterior_of(model: Piloted, *, warm_start: bool, **options: Any) -> Posterior:  # noqa: ANN401
    """
    Sample the posterior of a model, or its prior.

    options : those of `ProgramOptions`, and those of `lmmformula.stan.engines.choice.sample`
    """
    program, start = _prepared(model, options, warm_start=warm_start)
    _warn_of_priors(model, program)
    posterior = _result(model, program, sample(program, start=start, **options))
    _warn_of_draws(posterior)
    return posterior


def _warn_of_priors(model: Piloted, program: StanProgram) -> None:
    """Warn of default priors that lie far from the fit, of which the posterior would be a bad compromise."""
    fit = None if program.prior_only or program.edited else model.pilot.fit
    if fit is not None and (told := contradicted(program, estimates_of(fit))):
        more = f", and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
        warn(
            f"default priors that the data contradict: {', '.join(told[:SHOWN])}{more}",
            hint="give these a prior of your own, or centre and scale what they multiply: scale(x), poly(x, 2)",
            category=PriorWarning,
        )


def _warn_of_draws(posterior: Posterior) -> None:
    """Warn of draws that the diagnostics don't trust; whoever asks for an approximation knows what it is."""
    raw = posterior.raw
    if raw.approximation:
        return
    found = posterior.diagnostics() if sum(a.size for a in raw.values()) <= QUICK else _of_sampled(posterior)
    if not found.ok:
        warn(f"draws {found.verdict}", hint=HELP, category=SamplingWarning)


def _of_sampled(posterior: Posterior) -> Diagnostics:
    """Judge the chains by what was sampled, which all else follows from."""
    declared = tuple(d.name for d in posterior.program.program.parameters if d.name in posterior.raw)
    return posterior.raw.diagnose(declared or None, posterior.program.parameters.called)


def _prepared(model: Piloted, options: dict[str, Any], *, warm_start: bool) -> tuple[StanProgram, StartingPoint | None]:
    """Generate the program that the options ask for, which are taken out of them, and where its chains start."""
    check_flag("warm_start", warm_start)
    code, data = options.pop("code", None), options.pop("data", None)
    chosen = ProgramOptions(**{name: options.pop(name) for name in PROGRAM_OPTIONS & options.keys()})
    program = program_of(model, chosen)
    fit = None if chosen.prior_only or not warm_start else model.pilot.fit
    if not chosen.prior_only and (warm_start or chosen_by_fit(program, chosen)):
        _warn_of_pilot(model)
    if code is not None or data is not None:
        own, program = program, edited(program, program.code if code is None else code, data)
        fit = fit if same_parameters(own, program) else None
    return program, None if fit is None else starting_point(program, estimates_of(fit))


def _warn_of_pilot(model: Piloted) -> None:
    """Say so where the fit that chains start from, and that the geometry is chosen by, would have taken too long."""
    if model.pilot.stopped:
        warn(
            "the fit to start from was given up after a set amount of work: chains start anywhere, and effects are "
            "non-centred unless geometry= says otherwise",
            hint='geometry={"group": "centered"} is better for factors with many rows in each level',
        )


def _result(model: Piloted, program: StanProgram, draws: Draws) -> Posterior:
    if program.edited:
        check_read_back(program, draws)
    parts = (model.ir, model.schema, model.design, program, draws, model.table, model.data_name, model.na_action)
    return Posterior(*parts)


QUICK = 1_000_000
"""Numbers drawn up to which the diagnostics of all of them take next to no time beside the sampling."""
SHOWN = 3
"""Priors that a warning lists."""
HELP = "more warmup and draws help against R-hat and ESS, adapt_delta=0.99 against divergences"

PROGRAM_OPTIONS = frozenset(own.name for own in fields(ProgramOptions))
