"""The distributions of a response that a program can have, in Stan's words."""

import re
from dataclasses import dataclass, replace
from typing import Literal

from lmmformula.errors import FitError
from lmmformula.ir.family import GAUSSIAN, Family


@dataclass(frozen=True, slots=True)
class Likelihood:
    """
    The distribution of a response around its linear predictor eta, in Stan's words.

    y : type of the response in the data block, with its bounds
    distribution : name and arguments, `poisson_log(eta)`
    maths : the distribution in the header
    glm : name and last arguments of the function that multiplies X by b itself, "" where there is none
    parameters : those of the family, in the order of their priors
    integer : whether the response is whole numbers
    trials : whether there are trials beside it
    cutpoints : whether they stand in the place of the intercept
    own : whether its density is written out in the program (templates/written.stan.jinja), as Stan has none
    drawn : a draw of the response, where the distribution's own can't give one of every eta
    bounded : whether draws are counts, of a mean that is bounded
    """

    y: str
    distribution: str
    maths: str = ""
    glm: str = ""
    parameters: tuple[str, ...] = ()
    integer: bool = False
    trials: bool = False
    cutpoints: bool = False
    own: bool = False
    drawn: str = ""
    bounded: bool = False

    @property
    def name(self) -> str:
        """Name of the distribution."""
        return self.distribution.partition("(")[0]

    def of_rows(self, *, weights: bool = False, cutpoint: str = "cutpoint") -> str:
        """
        Write the distribution of all rows.

        weights : whether the residual standard deviation is divided by the roots of weights
        cutpoint : name of the cutpoints
        """
        text = _named(self.distribution, {"cutpoint": cutpoint})
        return _named(text, {"sigma": "sigma ./ root_weights"}) if weights else text

    def of_row(self, kind: Literal["density", "rng"], *, weights: bool = False, cutpoint: str = "cutpoint") -> str:
        """
        Write the log density of one row, or a draw of it.

        weights : whether the residual standard deviation is divided by the roots of weights
        cutpoint : name of the cutpoints
        """
        places = {"eta": "eta[n]", "trials": "trials[n]", "cutpoint": cutpoint}
        if weights:
            places["sigma"] = "sigma / root_weights[n]"
        if kind == "rng" and self.drawn:
            return _named(self.drawn, places)
        name, _, arguments = self.distribution.partition("(")
        arguments = _named(arguments, places)
        if kind == "rng":
            return f"{name}_rng({arguments}"
        return f"{name}_{'lpmf' if self.integer else 'lpdf'}(y[n] | {arguments}"

    def glm_of(self, X: str, *, cutpoint: str = "cutpoint") -> str:
        """Write the distribution that multiplies X by b itself; that of categories takes nothing but X."""
        name, _, rest = self.glm.partition("(")
        if self.cutpoints:
            return f"{name}({X}, b, {cutpoint})"
        more = rest.removesuffix(")")
        return f"{name}({X}, eta, b{', ' if more else ''}{more})"


def _named(text: str, names: dict[str, str]) -> str:
    """Put other texts in the places of some names."""
    return re.sub(r"\b[A-Za-z_]+\b", lambda found: names.get(found[0], found[0]), text)


COUNT = "array[N] int<lower=0> y;"
BINARY = "array[N] int<lower=0, upper=1> y;"
POSITIVE = "vector<lower=0>[N] y;"
CATEGORY = "array[N] int<lower=1, upper={}> y;"

_PROBABILITIES = {"logit": "inv_logit(eta)", "probit": "Phi(eta)", "cloglog": "inv_cloglog(eta)"}
"""The inverses of the links of probabilities."""

_LATENT = {"logit": "eta + logistic_rng(0, 1)", "probit": "eta + normal_rng(0, 1)", "cloglog": "eta - gumbel_rng(0, 1)"}
"""Draws of what falls between two cutpoints: its distribution function is that inverse, of cutpoint - eta."""


def _binary(link: str) -> Likelihood:
    maths, drawn = f"bernoulli({_PROBABILITIES[link]})", f"bernoulli_rng({_PROBABILITIES[link]})"
    if link == "logit":
        return Likelihood(BINARY, "bernoulli_logit(eta)", maths, "bernoulli_logit_glm()", integer=True)
    return Likelihood(BINARY, f"bernoulli_{link}(eta)", maths, integer=True, own=True, drawn=drawn)


def _of_trials(link: str) -> Likelihood:
    probability = _PROBABILITIES[link]
    name = "binomial" if link == "logit" else "binom"
    return Likelihood(
        COUNT,
        f"{name}_{link}(trials, eta)",
        f"binomial(trials, {probability})",
        integer=True,
        trials=True,
        own=link != "logit",
        drawn=f"binomial_rng(trials, {probability})",
    )


def _of_shares(link: str) -> Likelihood:
    """Successes that are no whole numbers, as R takes them."""
    probability = _PROBABILITIES[link]
    return Likelihood(
        "vector<lower=0>[N] y;",
        f"shares_{link}(trials, eta)",
        f"binomial(trials, {probability}), y in parts",
        trials=True,
        own=True,
        drawn=f"binomial_rng(trials, {probability})",
    )


def _of_categories(link: str) -> Likelihood:
    name = {"logit": "ordered_logistic"}.get(link, f"ordered_{link}")
    return Likelihood(
        CATEGORY,
        f"{name}(eta, cutpoint)",
        f"{name}(eta, cutpoint)",
        "ordered_logistic_glm()" if link == "logit" else "",
        integer=True,
        cutpoints=True,
        own=link == "cloglog",
        drawn=f"category({_LATENT[link]}, cutpoint)",
    )


NORMAL = Likelihood("vector[N] y;", "normal(eta, sigma)", "normal(eta, sigma)", parameters=("sigma",))

LIKELIHOODS: dict[Family, Likelihood] = {
    GAUSSIAN: NORMAL,
    **{Family("binomial", link): _of_trials(link) for link in _PROBABILITIES},
    Family("poisson", "log"): Likelihood(
        COUNT,
        "poisson_log(eta)",
        "poisson(exp(eta))",
        "poisson_log_glm()",
        integer=True,
        drawn="count_rng(eta)",
        bounded=True,
    ),
    Family("negbinomial", "log"): Likelihood(
        COUNT,
        "neg_binomial_2_log(eta, fmin(shape, 1e9))",
        "neg_binomial_2(exp(eta), shape)",
        "neg_binomial_2_log_glm(fmin(shape, 1e9))",
        ("shape",),
        integer=True,
        drawn="count_rng(eta, shape)",
        bounded=True,
    ),
    Family("student", "identity"): Likelihood(
        "vector[N] y;", "student_t(nu, eta, sigma)", "student_t(nu, eta, sigma)", parameters=("sigma", "nu")
    ),
    Family("Gamma", "log"): Likelihood(
        POSITIVE,
        "gamma(shape, shape * exp(-eta))",
        "gamma(shape, shape / exp(eta))",
        parameters=("shape",),
        drawn="gamma_rng(shape, shape) * exp(eta)",
    ),
    Family("lognormal", "identity"): Likelihood(
        POSITIVE, "lognormal(eta, sigma)", "lognormal(eta, sigma)", parameters=("sigma",)
    ),
    Family("beta", "logit"): Likelihood(
        "vector<lower=0, upper=1>[N] y;",
        "beta(phi * inv_logit(eta), phi * inv_logit(-eta))",
        "beta_proportion(inv_logit(eta), phi)",
        parameters=("phi",),
    ),
    Family("zero_inflated_poisson", "log"): Likelihood(
        COUNT,
        "zi_poisson(zi, eta)",
        "0 with probability zi, else poisson(exp(eta))",
        parameters=("zi",),
        integer=True,
        own=True,
        drawn="(1 - bernoulli_rng(zi)) * count_rng(eta)",
        bounded=True,
    ),
    Family("zero_inflated_negbinomial", "log"): Likelihood(
        COUNT,
        "zi_negbinomial(zi, eta, fmin(shape, 1e9))",
        "0 with probability zi, else neg_binomial_2(exp(eta), shape)",
        parameters=("shape", "zi"),
        integer=True,
        own=True,
        drawn="(1 - bernoulli_rng(zi)) * count_rng(eta, shape)",
        bounded=True,
    ),
    **{Family("cumulative", link): _of_categories(link) for link in _PROBABILITIES},
}
"""What a program can be written for; a binomial family without trials is that of zeros and ones."""


def likelihood_of(family: Family, *, trials: bool = False, broken: bool = False, categories: int = 0) -> Likelihood:
    """
    Find the likelihood of a family.

    trials : whether a binomial family counts successes among several
    broken : whether its successes are no whole numbers
    categories : their number, of an ordinal response

    Raises
    ------
    FitError
        No program is written for the family with that link.
    """
    if family not in LIKELIHOODS:
        links = [own.link for own in LIKELIHOODS if own.name == family.name]
        message = f"a Stan program is not available for the family {family.name} with link {family.link}"
        names = ", ".join(dict.fromkeys(own.name for own in LIKELIHOODS))
        raise FitError(
            message,
            hint=f'it is with link {", ".join(links)}: family="{family.name}({links[0]})"'
            if links
            else f"the families are: {names}",
        )
    if broken:
        return _of_shares(family.link)
    if family.name == "binomial" and not trials:
        return _binary(family.link)
    found = LIKELIHOODS[family]
    return replace(found, y=found.y.format(categories)) if found.cutpoints else found
