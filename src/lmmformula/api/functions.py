"""What is asked of a formula, a model or several fits at once: lmer and glmer for people who come from R, and more."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lmmformula.api.fits import GeneralizedMixedFit, LinearMixedFit
from lmmformula.api.methods.after import AnalysedFit
from lmmformula.api.model import Model
from lmmformula.errors import FitError
from lmmformula.fit.likelihood.target import CurvatureKind
from lmmformula.ir.family import GAUSSIAN, Family
from lmmformula.newcomers import answering
from lmmformula.results.glmm import MixedResult

if TYPE_CHECKING:
    from lmmformula.api.power import PowerCurve
    from lmmformula.inference.quality import Criteria


@answering
def lmer(
    formula: str,
    data: object,
    *,
    reml: bool = True,
    **options: Any,  # noqa: ANN401
) -> LinearMixedFit | GeneralizedMixedFit:
    """
    Fit a linear mixed model, for people who come from R: `Model(formula, data, ...).fit(reml=...)`.

    >>> import lmmformula as lf
    >>> lf.lmer("Yield ~ 1 + (1 | Batch)", lf.datasets.load("Dyestuff")).fixef.round(1).to_dict()
    {'(Intercept)': 1527.5}
    """
    model = Model(formula, data, **options)
    if model.ir.family != GAUSSIAN:
        raise FitError(f"lmer fits gaussian models, and the family is {model.ir.family.name}", hint="use glmer")
    return model.fit(reml=reml)


@answering
def glmer(
    formula: str,
    data: object,
    *,
    family: str | Family,
    nagq: int = 1,
    curvature: CurvatureKind = "observed",
    **options: Any,  # noqa: ANN401
) -> LinearMixedFit | GeneralizedMixedFit:
    """
    Fit a generalised linear mixed model, for people who come from R: `Model(formula, data, family=...).fit(nagq=...)`.

    curvature : "expected" gives lme4's criterion where the link is not the canonical one

    >>> import lmmformula as lf
    >>> formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    >>> lf.glmer(formula, lf.datasets.load("cbpp"), family="binomial").fixef.round(3).tolist()
    [-1.399, -0.992, -1.129, -1.58]
    """
    return Model(formula, data, family=family, **options).fit(reml=False, nagq=nagq, curvature=curvature)


@answering
def power(source: Model | MixedResult, effect: str | Mapping[str, float], **options: Any) -> "PowerCurve":  # noqa: ANN401
    """
    Simulate the power to find an effect, from a fit, or from a model: that is fitted first. See `LinearMixedFit.power`.

    >>> import lmmformula as lf
    >>> model = lf.Model("Reaction ~ Days + (Days | Subject)", lf.datasets.load("sleepstudy"))
    >>> lf.power(model, {"Days": 10}, n_groups=[6, 12], n=20, seed=1).frame.n_rows.tolist()
    [60, 120]
    """
    fit = source.fit() if isinstance(source, Model) else source
    if not isinstance(fit, AnalysedFit | GeneralizedMixedFit):
        raise FitError(f"power needs a fit or a model, and was given a {type(source).__name__}")
    return fit.power(effect, **options)


@answering
def criteria(*fits: MixedResult, **named: MixedResult) -> "Criteria":
    """
    Tabulate AIC, BIC and Akaike weights of fits to the same response; keywords name them.

    >>> import lmmformula as lf
    >>> data = lf.datasets.load("sleepstudy")
    >>> few, many = (lf.lmer(f"Reaction ~ Days + ({x} | Subject)", data) for x in ("1", "Days"))
    >>> print(lf.criteria(intercepts=few, slopes=many))
    intercepts: Reaction ~ Days + (1 | Subject)
    slopes: Reaction ~ Days + (Days | Subject)
                n_parameters   loglik      aic      bic  delta_aic  weight
    intercepts             4 -893.233 1794.465 1807.237     38.837   0.000
    slopes                 6 -871.814 1755.628 1774.786      0.000   1.000
    """
    from lmmformula.inference.quality import criteria

    return criteria({f"model {i}": fit for i, fit in enumerate(fits, start=1)} | named)
