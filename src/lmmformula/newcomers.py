"""Words of other packages, as arguments, attributes and functions, answered with ours: one table of each."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import cache, update_wrapper
from pkgutil import resolve_name
from types import FunctionType, MappingProxyType
from typing import Any, NoReturn, Protocol, TypeVar

from lmmformula.errors import DataError, FitError, FormulaError, printable

Made = TypeVar("Made", bound=type)
Called = TypeVar("Called", bound=Callable[..., Any])

ARGUMENTS: dict[str, str] = {
    **dict.fromkeys(("REML", "remL"), "it is reml=True or False, of fit() and of lmer()"),
    "method": "REML or ML is reml=, of fit(); intervals have method= of confint(); comparisons adjust= of pairs()",
    **dict.fromkeys(("nAGQ", "n_agq"), "it is nagq=, of fit() and of glmer()"),
    **dict.fromkeys(
        ("ziformula", "zi_formula"),
        'zero inflation is a family here, "zero_inflated_poisson"; a predictor of it is not supported yet',
    ),
    **dict.fromkeys(("dispformula", "disp_formula"), "a predictor of the dispersion is not supported yet"),
    "subset": "give the model a part of the data frame",
    "control": "settings= of fit() are the optimiser's; adapt_delta= and max_treedepth= of sample() the sampler's",
    **dict.fromkeys(
        ("groups", "re_formula", "vc_formula", "random_effects", "group", "random"),
        "groups stand in the formula: y ~ x + (x | group)",
    ),
    **dict.fromkeys(("prior", "set_prior"), 'priors are statements: priors="b ~ normal(0, 5)", of Model()'),
    "cores": "it is parallel_chains=, how many chains run at once",
    **dict.fromkeys(("iter", "niter"), "it is warmup= and draws=, of each chain"),
    **dict.fromkeys(("tune", "iter_warmup", "burnin", "num_warmup", "n_warmup"), "it is warmup="),
    **dict.fromkeys(("samples", "iter_sampling", "num_samples", "n_samples"), "it is draws="),
    **dict.fromkeys(("nchains", "n_chains", "num_chains"), "it is chains="),
    **dict.fromkeys(("random_seed", "random_state"), "it is seed="),
    "target_accept": "it is adapt_delta=",
    "backend": 'it is engine="stanli" or "cmdstan"',
    "refresh": "it is progress=True or False",
    "conf_level": "it is level=",
    "alpha": "it is level=: 0.95 for an alpha of 0.05",
    **dict.fromkeys(("nsim", "nboot", "B"), "it is n="),
    **dict.fromkeys(("re_form", "re.form"), 'it is random="conditional" or "population", of predict()'),
    "allow_new_levels": 'it is new_levels="population", of predict()',
    "exog": "it is newdata=",
    "missing": 'it is na_action="omit", "exclude" or "fail"',
    **dict.fromkeys(
        ("start", "init", "inits", "initvals", "initial"),
        "fit() has start=; the chains of sample() start from the fit, and anywhere with warm_start=False",
    ),
    **dict.fromkeys(("parm", "which"), "it is parameters=, of confint()"),
    "type": "it is kind= of residuals(), and scale= of predict() where the family has a link",
    "test": "type= and ddf= of anova() choose a test; several fits are compared by likelihood ratios",
    "adjust": "it is adjust= of pairs() and of contrast()",
    "formula": "the formula is the first argument",
    "link": 'it stands behind the family: family="binomial(probit)"',
    **dict.fromkeys(("ref", "reference"), "it is base=, the number of the level; relevel(f, ref = 'b') names it"),
    "verbose": "fit.trace shows what the optimiser did; progress= is of what takes long",
    **dict.fromkeys(("cov", "data2", "autocor"), "known and residual correlations are not supported yet"),
    "correlation": "residual correlations are not supported yet; a summary shows those of the fixed effects",
}
"""Argument of another package -> what to write here."""

ATTRIBUTES: dict[str, str] = {
    **dict.fromkeys(("params", "coefficients", "coefs", "beta", "feparams", "fixedeffects"), "fixef"),
    **dict.fromkeys(("bse", "se", "stderr", "bsefe"), "std_errors"),
    "resid": "residuals()",
    **dict.fromkeys(("randomeffects", "blups", "re", "raneffects"), "ranef()"),
    **dict.fromkeys(("fittedvalues", "yhat"), "fitted"),
    **dict.fromkeys(("llf", "loglikelihood"), "loglik"),
    **dict.fromkeys(("pvalues", "tvalues", "zvalues", "pvalue"), "tidy()"),
    "covparams": "vcov",
    **dict.fromkeys(("covre", "vcomp", "stddev", "sds", "variances"), "varcorr"),
    **dict.fromkeys(("scale", "dispersion"), "sigma"),
    "dfresid": "df_residual",
    "isreml": "reml",
    "remlcrit": "deviance",
    **dict.fromkeys(("bootmer", "boot"), "bootstrap()"),
    **dict.fromkeys(("hatvalues", "hat"), "leverage()"),
    "cooksd": "cooks_distance()",
    **dict.fromkeys(("dfbeta", "dfbetas"), "influence()"),
    **dict.fromkeys(("ci", "intervals"), "confint()"),
    **dict.fromkeys(("todataframe", "topandas", "summarytable"), "tidy()"),
    **dict.fromkeys(("rsquared", "rsquaredgeneral"), "r2()"),
    **dict.fromkeys(("formula", "call"), "ir.formula"),
    **dict.fromkeys(("x", "exog", "modelmatrix"), "design.X"),
    **dict.fromkeys(("z", "zt", "getme"), "design"),
    **dict.fromkeys(("lsmeans", "marginalmeans"), "emmeans()"),
    **dict.fromkeys(("margins", "emtrends", "marginaleffects", "avgslopes"), "slopes()"),
    **dict.fromkeys(("ttest", "glht"), "contrast()"),
    **dict.fromkeys(("waldtest", "ftest"), "linear_hypothesis()"),
    **dict.fromkeys(("posteriorpredict", "ppsamples"), "posterior_predictive()"),
    **dict.fromkeys(("samples", "drawsarray", "asdraws"), "draws"),
    **dict.fromkeys(("posteriorsamples", "asdrawsdf", "asdrawsmatrix"), "draws_frame()"),
    "hypothesis": "contrast()",
    **dict.fromkeys(("waic", "elpd"), "loo()"),
    **dict.fromkeys(("rhat", "ess", "neff"), "diagnostics()"),
    **dict.fromkeys(("code", "stancode", "makestancode"), "stan().code"),
    "standata": "stan().data",
    **dict.fromkeys(("contrast", "contrasts", "tukey"), "pairs()"),
    **dict.fromkeys(("summary", "df", "data", "table", "asdata", "confint"), "frame"),
    **dict.fromkeys(("mcmc", "nuts", "run"), "sample()"),
    **dict.fromkeys(("priorpredictive", "samplepriorpredictive"), "sample_prior()"),
    **dict.fromkeys(("dump", "pickle", "tofile"), "save()"),
}
"""Attribute of a result or a model in another package, in small letters without `_` -> where it is here."""

FIT = "lmmformula.api.fits:LinearMixedFit"
"""What has most of what is looked for in the package."""

FUNCTIONS: dict[str, str] = {
    **dict.fromkeys(("lme", "mixedlm", "lm", "ols", "fitlmm", "lmertest"), "lmer()"),
    **dict.fromkeys(("glmmtmb", "glm", "glmmlaplace"), "glmer()"),
    **dict.fromkeys(("brm", "stanglmer", "stanlmer", "rstanarm"), "Model(...).sample()"),
    **dict.fromkeys(("makestancode", "stancode"), "Model(...).stan()"),
    **dict.fromkeys(
        ("family", "binomial", "poisson", "gaussian", "gamma", "negbinomial", "nbinom2"),
        'a text: family="binomial(probit)", of Model() and glmer()',
    ),
    **dict.fromkeys(("glmernb", "negativebinomial"), 'glmer(..., family="negbinomial")'),
    **dict.fromkeys(("prior", "setprior"), 'a text: priors="b ~ normal(0, 5)", of Model()'),
    **dict.fromkeys(("sample", "stan"), "Model(...).sample()"),
    **dict.fromkeys(("bf", "formula", "brmsformula"), "a text: Model('y ~ x + (x | group)', data)"),
}
"""Function of another package -> what there is here."""


class UnknownArgumentError(FitError, TypeError):
    """An argument that a function doesn't have."""


class UnknownNameError(FitError, AttributeError):
    """An attribute that an object doesn't have, or a name that the package doesn't."""


class Refusal(Protocol):
    """What is said where a class lacks something that its siblings have."""

    def refuse(self, result: object) -> NoReturn:
        """Refuse what a result is asked."""

    def refuse_name(self, result: object) -> NoReturn:
        """Refuse a name."""

    def refusing(self, method: Callable[..., Any]) -> Callable[..., NoReturn]:
        """Make a method that refuses in the place of another."""


Lacking = Callable[[str, str], Refusal | None]
"""Name of a class, and of a method, attribute or method(argument) -> what is said if it lacks that."""


def nothing_lacking(_cls: str, _what: str) -> None:
    """Say of no class that it lacks something."""


def plainly(name: str) -> str:
    """
    Write a name without what languages differ in.

    >>> plainly("isSingular") == plainly("is_singular")
    True
    """
    return name.lower().replace("_", "").replace(".", "")


def answers_newcomers(
    elsewhere: Mapping[str, str] = MappingProxyType({}), *, made: str = "", lacking: Lacking = nothing_lacking
) -> Callable[[Made], Made]:
    """
    Make a class whose methods say of unknown arguments, and which says of unknown attributes, what to write instead.

    elsewhere : where else a name may be looked for: the method that makes what has it -> "module:class" of that
    made : what makes an instance, where users don't call the class themselves
    lacking : what is said of what a class lacks beside its siblings
    """

    def decorated(cls: Made) -> Made:
        def missing(self: object, name: str) -> Any:  # noqa: ANN401 (an attribute)
            if (ability := lacking(cls.__name__, name)) is not None:
                ability.refuse_name(self)
            if name.startswith("_") or hasattr(cls, name):  # the latter has failed, and fails again
                return object.__getattribute__(self, name)
            refuse_name(cls, name, elsewhere)

        for name in dir(cls):
            found = inspect.getattr_static(cls, name)
            if (ability := lacking(cls.__name__, name)) is not None:
                setattr(cls, name, ability.refusing(found))
                continue
            own = name == "__init__" and "__init__" in vars(cls)
            if isinstance(found, FunctionType) and (own or not name.startswith("_")):
                instead = f"{cls.__name__} is made by {made}" if own and made else ""
                setattr(cls, name, answering(found, instead, lacking))
        type.__setattr__(cls, "__getattr__", missing)
        return cls

    return decorated


def answering(function: Called, instead: str = "", lacking: Lacking = nothing_lacking) -> Called:
    """
    Make a function that answers unknown arguments, and whose errors in formulas have no trace of ours.

    instead : what is to be called in its place, if it is called wrongly
    """
    assert isinstance(function, FunctionType)
    check, faults = check_arguments, (FormulaError, DataError)

    def answered(*given: Any, **named: Any) -> Any:  # noqa: ANN401 (the function's)
        check(function, given, named, instead, lacking)
        try:
            return function(*given, **named)
        except faults as error:
            if not error.text:
                raise
            raise error.with_traceback(None) from None  # the fault is in the formula, and our frames add nothing

    # in the namespace of what it wraps, where doctest looks for the functions of a module
    made = FunctionType(answered.__code__, function.__globals__, function.__name__, None, answered.__closure__)
    update_wrapper(made, function)
    return made  # type: ignore[return-value]  # called in the same way


@cache
def _parameters(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


def check_arguments(
    function: Callable[..., Any],
    given: tuple[Any, ...],
    named: dict[str, Any],
    instead: str = "",
    lacking: Lacking = nothing_lacking,
) -> None:
    """Refuse arguments that a function doesn't have, and say what they may have meant, or what to call instead."""
    signature = _parameters(function)
    open_ended = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    words = () if function.__name__ == "plot" else ARGUMENTS  # pictures have words of their own
    for name in named:
        if name not in signature.parameters and (not open_ended or name in words):
            if given and (ability := lacking(type(given[0]).__name__, f"{function.__name__}({name})")) is not None:
                ability.refuse(given[0])
            raise unknown_argument(_title(function), name, signature.parameters, instead)
    try:
        signature.bind(*given, **named)
    except TypeError as error:
        own = [p for p in signature.parameters.values() if p.name != "self" and p.kind < p.VAR_KEYWORD]
        takes = [f"{p.name}=" if p.kind is p.KEYWORD_ONLY else p.name for p in own] or ["no argument"]
        hint = instead or f"it takes {', '.join(takes)}"
        raise UnknownArgumentError(f"{_title(function)}: {error}", hint=hint) from None


def _title(function: Callable[..., Any]) -> str:
    return f"{function.__qualname__.removesuffix('.__init__').rpartition('.')[2]}()"


def unknown_argument(title: str, name: str, known: Iterable[str], instead: str = "") -> UnknownArgumentError:
    """Say that a function has no such argument, and what may have been meant."""
    names = [own for own in known if own not in ("self", "options", "streaming")]
    near = [own for own in names if plainly(own) == plainly(name)] or get_close_matches(name, names, n=1)
    hint = instead or ARGUMENTS.get(name, f"did you mean {near[0]}=?" if near else f"it has {', '.join(names)}")
    return UnknownArgumentError(f"{title} has no argument '{printable(name)}'", hint=hint)


def refuse_name(cls: type, name: str, elsewhere: Mapping[str, str]) -> NoReturn:
    """Say where an attribute is that was looked for under another name."""
    found = _ours(cls, name)
    for way, place in elsewhere.items():
        there = "" if found else _ours(resolve_name(place), name)
        found = found or (f"{way}.{there}" if there else "")
    near = get_close_matches(name, _public(cls), n=1, cutoff=0.7)
    hint = f"it is .{found}" if found else f"did you mean .{_called(cls, near[0])}?" if near else ""
    raise UnknownNameError(f"a {cls.__name__} has no '{printable(name)}'", hint=hint)


def _ours(cls: type, name: str) -> str:
    """Find what a class calls a name of another package; "" if it has nothing of the kind."""
    same = [own for own in _public(cls) if plainly(own) == plainly(name)]
    path = ATTRIBUTES.get(plainly(name), "")
    if same:
        return _called(cls, same[0])
    return path if path and path.partition(".")[0].removesuffix("()") in {*_public(cls), *_fields(cls)} else ""


def _public(cls: type) -> list[str]:
    return [own for own in dir(cls) if not own.startswith("_")]


def _called(cls: type, name: str) -> str:
    """Write brackets behind the name of a method."""
    return f"{name}()" if isinstance(inspect.getattr_static(cls, name, None), FunctionType) else name


def _fields(cls: type) -> Iterable[str]:
    return (*getattr(cls, "__dataclass_fields__", ()), *getattr(cls, "__annotations__", ()))


def unknown_function(name: str, known: Iterable[str]) -> UnknownNameError:
    """Say of a name that the package doesn't have what there is instead."""
    wanted, names = plainly(name), list(known)
    near = [own for own in names if plainly(own) == wanted] or get_close_matches(name, names, n=1, cutoff=0.7)
    hint = f"there is {FUNCTIONS[wanted]}" if wanted in FUNCTIONS else f"did you mean {near[0]}?" if near else ""
    if not hint and (there := _ours(resolve_name(FIT), name)):
        hint = f"a fit has it: fit.{there}"
    return UnknownNameError(f"module 'lmmformula' has no attribute '{printable(name)}'", hint=hint)
