"""The model a user holds: a formula on its data, and the doors to everything that can be done with it."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from lmmformula.api.fits import GeneralizedMixedFit, LinearMixedFit
from lmmformula.api.input.parsing import Priors, required_text, specification
from lmmformula.api.input.reading import designed
from lmmformula.api.pilot import Pilot, pilot_of
from lmmformula.arrays import FloatArray
from lmmformula.design.build import NaAction
from lmmformula.design.design import Design
from lmmformula.design.schema import Schema
from lmmformula.errors import FitError, warn
from lmmformula.fit.glmm import GlmmFit, fit_glmm
from lmmformula.fit.likelihood.response import check_curvature
from lmmformula.fit.likelihood.target import CurvatureKind
from lmmformula.fit.lmm import Fit, fit_lmm
from lmmformula.fit.search.settings import OptimizerSettings
from lmmformula.ir.family import GAUSSIAN, Family
from lmmformula.ir.lower.model import update
from lmmformula.ir.model import ModelIR
from lmmformula.newcomers import answers_newcomers
from lmmformula.present.explain import explain, model_html, model_markdown
from lmmformula.present.text import Text
from lmmformula.screen import paged

if TYPE_CHECKING:
    import pandas as pd

    from lmmformula.api.mode import PosteriorMode
    from lmmformula.api.posterior import Posterior
    from lmmformula.stan.generate import StanProgram

Form = Literal["auto", "marginal", "conditional"]
DataForm = Literal["auto", "rows", "crossproducts"]
Geometry = Literal["centered", "noncentered"]
Engine = Literal["auto", "stanli", "cmdstan"]


@answers_newcomers({"fit()": "lmmformula.api.fits:LinearMixedFit", "sample()": "lmmformula.api.posterior:Posterior"})
class Model:
    """
    A mixed-effects model on its data: parsed, and its design matrices built; nothing is fitted yet.

    spec : formula, with prior statements behind it if you like; or a `ModelIR`
    data : a data frame of any kind that narwhals reads (pandas, polars, pyarrow), or a mapping of columns; or data in
        parts, which are summed and not kept unless they are small: "data/*.parquet", a lazy query, a list of frames
        (docs/large_data.md)
    family : the response's distribution, "gaussian" or "binomial(probit)"
    weights : column name or array; where the family has a sigma, the residual variance of row i is
        sigma^2 / weights[i]; of binomial shares they are the trials; other families have none
    loglik_weights : column name or array; factors of the log density of each row, in any family
    offset : column name or array, added to the linear predictor
    contrasts : factor -> contrasts of its columns, "contr.sum", for the fixed effects
    priors : prior statements, a text or a list, that join those of `spec`; the later of equals wins
    na_action : "omit" leaves out rows with missing values and counts them; "exclude" does too, but fitted values and
        residuals have NaN in their place; "fail" refuses them
    reading : for data in parts: memory_limit (bytes), progress (a function, or False), checkpoint (a folder), keep_rows
        (True reads them into memory, False does not); for text files: sep (";"), na (words for a missing value)

    >>> import lmmformula as lf
    >>> model = lf.Model("Reaction ~ Days + (Days | Subject)", lf.datasets.load("sleepstudy"))
    >>> model.design.X.shape, model.design.Zt.shape
    ((180, 2), (36, 180))
    """

    ir: ModelIR
    schema: Schema
    design: Design

    def __init__(  # noqa: PLR0913 (as many as a model has)
        self,
        spec: str | ModelIR,
        data: object,
        *,
        family: str | Family = "gaussian",
        weights: str | npt.ArrayLike | None = None,
        loglik_weights: str | npt.ArrayLike | None = None,
        offset: str | npt.ArrayLike | None = None,
        contrasts: Mapping[str, Any] | None = None,
        priors: Priors = None,
        na_action: NaAction = "omit",
        **reading: Any,  # noqa: ANN401 (fields of StreamSettings and TextOptions)
    ) -> None:
        choices: dict[str, Any] = {
            "weights": weights,
            "loglik_weights": loglik_weights,
            "offset": offset,
            "contrasts": contrasts,
            "na_action": na_action,
        }
        made = designed(specification(spec, family, priors), data, reading, **choices)
        self.table, self.ir, self.schema, self.design = made.table, made.ir, made.schema, made.design
        self.remarks = made.remarks
        self.data_name = _name_of(data)
        self.na_action: NaAction = na_action
        self._choices = {**choices, **made.options}
        self._data = made.data

    def __repr__(self) -> str:
        return f"Model({self.ir.formula!r}, {self.design.nobs} rows)"

    def _repr_html_(self) -> str:
        return model_html(self.ir, self.design, self.remarks)

    def _repr_markdown_(self) -> str:
        return model_markdown(self.ir, self.design, self.remarks)

    def _repr_latex_(self) -> str:
        return self.ir._repr_latex_()

    def update(self, formula: str) -> "Model":
        """
        Make a new model of this one on the same data; each `.` stands for what this one has on that side.

        Weights, offset, contrasts and priors stay; prior statements may follow the formula. As R's update().

        >>> import lmmformula as lf
        >>> model = lf.Model("Reaction ~ Days + (Days | Subject)", lf.datasets.load("sleepstudy"))
        >>> model.update(". ~ . - (Days | Subject) + (1 | Subject)")
        Model('Reaction ~ Days + (1 | Subject)', 180 rows)
        """
        updated = Model(
            update(self.ir, required_text(formula, "a formula", ". ~ . - x")),
            self._data,
            family=self.ir.family,
            **self._choices,
        )
        updated.data_name = self.data_name
        return updated

    def explain(self) -> Text:
        """Say what the formula means for these data: variables, terms, dimensions, and the model in maths."""
        return Text(paged(explain(self.ir, self.schema, self.design, self.remarks)))

    def fit(
        self,
        *,
        reml: bool = True,
        nagq: int = 1,
        curvature: CurvatureKind = "observed",
        start: npt.ArrayLike | None = None,
        settings: OptimizerSettings | None = None,
    ) -> LinearMixedFit | GeneralizedMixedFit:
        """
        Fit by REML or by maximum likelihood; families other than the Gaussian by that, with Laplace's approximation.

        So is a gaussian model with `loglik_weights`, for which the approximation is exact.

        reml : REML; False for maximum likelihood; not read in other families, or with `loglik_weights`
        nagq : of other families with a single random coefficient, nodes of adaptive Gauss-Hermite quadrature; 1 is
            Laplace's approximation
        curvature : of other families, the second derivative of the rows' log density that the approximation takes:
            "observed" is Laplace's approximation itself, "expected" makes lme4's criterion
        start : theta to start from; found from the data where None
        settings : of the optimiser
        """
        if not isinstance(reml, bool | np.bool_):
            raise FitError(f"reml is True or False, not {reml!r:.60}", hint="reml=False is maximum likelihood")
        if not isinstance(settings, OptimizerSettings | None):
            raise FitError(f"settings are OptimizerSettings, not a {type(settings).__name__}")
        theta = None if start is None else _numbers(start, "start")
        rest = (self.table, self.data_name, self.na_action)
        if not self._has_exact_fit:
            laplace = fit_glmm(
                self.design, self.ir.family, start=theta, nagq=nagq, curvature=curvature, settings=settings
            )
            _warn(laplace)
            return GeneralizedMixedFit(self.ir, self.schema, self.design, laplace, *rest)
        if nagq != 1:
            raise FitError("a gaussian likelihood needs no quadrature: it is exact", hint="leave out nagq")
        check_curvature(self.ir.family, curvature)
        fit = fit_lmm(self.design, reml=reml, start=theta, settings=settings)
        _warn(fit)
        return LinearMixedFit(self.ir, self.schema, self.design, fit, *rest)

    def stan(
        self,
        *,
        form: Form = "auto",
        data_form: DataForm = "auto",
        geometry: Mapping[str, Geometry] | None = None,
        literals: bool = False,
        log_lik: bool = False,
        y_rep: bool = False,
    ) -> "StanProgram":
        """
        Generate the Stan program and its data.

        form : "marginal" integrates the random effects out, "conditional" samples them, "auto" takes the marginal
            form wherever there is one
        data_form : "rows" lets the program read the data as they are; "crossproducts", of the marginal form, the sums
            over rows that it needs; "auto" takes the rows where they were kept
        geometry : how effects that are sampled are written, by grouping factor: {"Subject": "centered"} or
            "noncentered"; chosen from the fit where it is not said
        literals : write the numbers of the priors into the program instead of into its data
        log_lik, y_rep : let the program generate each row's log density, and a response like it

        Raises
        ------
        FitError
            There is no such program.
        FormulaError
            A prior statement fits no parameter of the model.
        """
        from lmmformula.api.sampling import ProgramOptions, program_of

        return program_of(self, ProgramOptions(form, data_form, geometry, literals, log_lik, y_rep))

    def sample(
        self,
        *,
        engine: Engine = "auto",
        chains: int = 4,
        warmup: int = 1000,
        draws: int = 1000,
        seed: int | None = None,
        form: Form = "auto",
        warm_start: bool = True,
        progress: bool | Callable[[int, int], object] = True,
        **options: Any,  # noqa: ANN401 (those of `stan`; the engine checks its own)
    ) -> "Posterior":
        """
        Draw from the posterior by Stan.

        engine : "stanli" (comes with the package), which is "auto" as well; or "cmdstan" (through cmdstanpy)
        chains, warmup, draws : number of chains, and iterations of each that are thrown away and kept
        seed : the same seed gives the same draws
        warm_start : start the chains around the fit, with its metric; it costs milliseconds
        progress : show a bar, where there is a terminal; or a function of (iterations done, iterations in all)
        options : those of `stan` (data_form, geometry, log_lik, y_rep, literals), those of the engine, and `algorithm`:
            "nuts", or an approximation, "pathfinder" or "laplace", of `draws` draws without chains; `code`, a text or
            file to run in the place of the program, which keeps the names of its variables, and `data`, a mapping of
            what that reads beyond the program's own

        An interrupt from the keyboard ends it early, with a warning: the posterior holds what was drawn by then.
        """
        from lmmformula.api.sampling import posterior_of

        run: dict[str, Any] = {"engine": engine, "chains": chains, "warmup": warmup, "draws": draws, "seed": seed}
        run["progress"] = progress
        return posterior_of(self, form=form, warm_start=warm_start, **run, **options)

    def optimize(
        self,
        *,
        engine: Engine = "auto",
        seed: int | None = None,
        form: Form = "auto",
        warm_start: bool = True,
        **options: Any,  # noqa: ANN401 (those of `stan`; the engine checks its own)
    ) -> "PosteriorMode":
        """
        Find the mode of the posterior: a quick look at where it is, which tells nothing of its spread.

        It is the mode on the scale on which Stan samples, where parameters have no bounds; `jacobian=False`, which
        CmdStan has, asks for the mode of the parameters as they are.

        warm_start : search from the fit
        options : those of `stan`, and those of the engine: iterations, jacobian
        """
        from lmmformula.api.sampling import mode_of

        return mode_of(self, engine=engine, seed=seed, form=form, warm_start=warm_start, **options)

    def sample_prior(
        self,
        *,
        chains: int = 4,
        draws: int = 1000,
        seed: int | None = None,
        **options: Any,  # noqa: ANN401 (those of `sample`)
    ) -> "Posterior":
        """
        Draw from the prior: what the model believes before it has seen a response.

        The result has the accessors of a posterior; its `posterior_predictive` draws from the prior predictive.

        options : those of `sample`
        """
        from lmmformula.api.sampling import posterior_of

        fixed: dict[str, Any] = {"form": "conditional", "warm_start": False, "prior_only": True}
        for name in fixed.keys() & options.keys():
            raise FitError(f"a program of the prior alone has no choice of {name}", hint=f"leave {name}= out")
        return posterior_of(self, chains=chains, draws=draws, seed=seed, **options, **fixed)

    def plot(self, kind: str = "priors", **options: Any) -> Any:  # noqa: ANN401 (an array of matplotlib's Axes)
        """
        Draw the density of each prior, on the scale of its parameter; needs matplotlib.

        kind : "priors"
        options : figsize=(width, height) in inches
        """
        from lmmformula.api.sampling import priors_of
        from lmmformula.present.pictures.table import model_plot

        return model_plot(priors_of(self), self.design, kind, **options)

    @cached_property
    def pilot(self) -> Pilot:
        """The fit on which the Stan program's geometry and start rest: REML, or Laplace's."""
        return pilot_of(self.design, self.ir.family, exact=self._has_exact_fit)

    @property
    def _has_exact_fit(self) -> bool:
        """Whether random effects can be integrated out of the likelihood: of a gaussian one without factors."""
        return self.ir.family == GAUSSIAN and not self.design.has_loglik_weights

    @cached_property
    def priors(self) -> "pd.DataFrame":
        """
        One row per parameter: target, distribution, whether it is the default, and its Stan statement.

        Numbers are shown with six digits; `model.stan().priors` and `.data` have them in full.
        """
        from lmmformula.api.sampling import priors_of
        from lmmformula.present.pictures.priors import neat
        from lmmformula.results.tables.shown import Shown

        rows = priors_of(self)
        return Shown([(r.target, neat(r.distribution), r.default, r.stan) for r in rows], columns=PRIOR_COLUMNS)


PRIOR_COLUMNS = ["target", "distribution", "default", "stan"]


def _warn(fit: Fit | GlmmFit) -> None:
    """Warn of a fit that failed."""
    if fit.verdict == "failed":
        warn(fit.message)


def _numbers(values: npt.ArrayLike, what: str) -> FloatArray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise FitError(f"{what} must be numbers, not {values!r:.60}") from None


def _name_of(data: object) -> str:
    """Return what a pandas data frame says it is called; data frames have no names of their own."""
    attributes = getattr(data, "attrs", None)
    return str(attributes.get("name", "")) if isinstance(attributes, dict) else ""
