"""The distributions of a response that a program can have, in Stan's words."""

from dataclasses import dataclass
from typing import Literal

from lmmformula.errors import FitError
from lmmformula.ir.family import GAUSSIAN, Family


@dataclass(frozen=True, slots=True)
class Likelihood:
    """
    The distribution of a response around its linear predictor eta, in Stan's words.

    y : type of the response in the data block, with its bounds
    distribution : name and arguments, `poisson_log(eta)`
    glm : name and last arguments of the function that multiplies X by b itself, "" where there is none
    parameters : those of the family, in the order of their priors
    integer : whether the response is whole numbers
    trials : whether there are trials beside it
    zeros : whether zeros may have a source of their own, of probability zi
    maths : the distribution in the header
    drawn : the distribution to draw from, where Stan can't from the one on the scale of the link
    """

    y: str
    distribution: str
    maths: str
    glm: str = ""
    parameters: tuple[str, ...] = ()
    integer: bool = False
    trials: bool = False
    zeros: bool = False
    drawn: str = ""

    def of_row(self, kind: Literal["density", "rng"], *, weights: bool = False) -> str:
        """
        Write the log density of one row, or a draw of it.

        weights : whether the residual standard deviation is divided by the roots of weights
        """
        text = self.drawn if kind == "rng" and self.drawn else self.distribution
        name, _, arguments = text.partition("(")
        arguments = arguments.replace("eta", "eta[n]").replace("trials", "trials[n]")
        if weights:
            arguments = arguments.replace("sigma", "sigma / root_weights[n]")
        if kind == "rng":
            return f"{name}_rng({arguments}"
        return f"{name}_{'lpmf' if self.integer else 'lpdf'}(y[n] | {arguments}"

    def glm_of(self, X: str) -> str:
        """Write the distribution that multiplies X by b itself."""
        name, _, rest = self.glm.partition("(")
        more = rest.removesuffix(")")
        return f"{name}({X}, eta, b{', ' if more else ''}{more})"


COUNT = "array[N] int<lower=0> y;"
BINARY = "array[N] int<lower=0, upper=1> y;"
POSITIVE = "vector<lower=0>[N] y;"

_BINOMIAL = {"logit": "inv_logit(eta)", "probit": "Phi(eta)", "cloglog": "inv_cloglog(eta)"}
"""The inverses of the links of probabilities."""


def _binary(link: str) -> Likelihood:
    if link == "logit":
        return Likelihood(
            BINARY, "bernoulli_logit(eta)", "bernoulli(inv_logit(eta))", "bernoulli_logit_glm()", integer=True
        )
    return Likelihood(BINARY, f"bernoulli({_BINOMIAL[link]})", f"bernoulli({_BINOMIAL[link]})", integer=True)


def _of_trials(link: str) -> Likelihood:
    distribution = "binomial_logit(trials, eta)" if link == "logit" else f"binomial(trials, {_BINOMIAL[link]})"
    drawn = f"binomial(trials, {_BINOMIAL[link]})"
    return Likelihood(COUNT, distribution, drawn, integer=True, trials=True, drawn=drawn)


_POISSON = Likelihood(COUNT, "poisson_log(eta)", "poisson(exp(eta))", "poisson_log_glm()", integer=True)
_NEGBINOMIAL = Likelihood(
    COUNT,
    "neg_binomial_2_log(eta, shape)",
    "neg_binomial_2(exp(eta), shape)",
    "neg_binomial_2_log_glm(shape)",
    ("shape",),
    integer=True,
)

NORMAL = Likelihood("vector[N] y;", "normal(eta, sigma)", "normal(eta, sigma)", parameters=("sigma",))

LIKELIHOODS: dict[Family, Likelihood] = {
    GAUSSIAN: NORMAL,
    **{Family("binomial", link): _of_trials(link) for link in _BINOMIAL},
    Family("poisson", "log"): _POISSON,
    Family("negbinomial", "log"): _NEGBINOMIAL,
    Family("student", "identity"): Likelihood(
        "vector[N] y;", "student_t(nu, eta, sigma)", "student_t(nu, eta, sigma)", parameters=("sigma", "nu")
    ),
    Family("Gamma", "log"): Likelihood(
        POSITIVE, "gamma(shape, shape * exp(-eta))", "gamma(shape, shape / exp(eta))", parameters=("shape",)
    ),
    Family("lognormal", "identity"): Likelihood(
        POSITIVE, "lognormal(eta, sigma)", "lognormal(eta, sigma)", parameters=("sigma",)
    ),
    Family("beta", "logit"): Likelihood(
        "vector<lower=0, upper=1>[N] y;",
        "beta_proportion(inv_logit(eta), phi)",
        "beta_proportion(inv_logit(eta), phi)",
        parameters=("phi",),
        drawn="beta(phi * inv_logit(eta), phi * inv_logit(-eta))",
    ),
    Family("zero_inflated_poisson", "log"): Likelihood(
        COUNT,
        "zero_inflated_poisson(zi, eta)",
        "0 with probability zi, else poisson(exp(eta))",
        parameters=("zi",),
        integer=True,
        zeros=True,
    ),
    Family("zero_inflated_negbinomial", "log"): Likelihood(
        COUNT,
        "zero_inflated_negbinomial(zi, eta, shape)",
        "0 with probability zi, else neg_binomial_2(exp(eta), shape)",
        parameters=("shape", "zi"),
        integer=True,
        zeros=True,
    ),
}
"""What a program can be written for; a binomial family without trials is that of zeros and ones."""


def likelihood_of(family: Family, *, trials: bool = False) -> Likelihood:
    """
    Find the likelihood of a family.

    Raises
    ------
    FitError
        No program is written for the family with that link.
    """
    if family not in LIKELIHOODS:
        links = [own.link for own in LIKELIHOODS if own.name == family.name]
        message = f"a Stan program is not available for the family {family.name} with link {family.link}"
        names = ", ".join(dict.fromkeys(own.name for own in LIKELIHOODS))
        raise FitError(message, hint=f"it is with link {', '.join(links)}" if links else f"the families are: {names}")
    if family.name == "binomial" and not trials:
        return _binary(family.link)
    return LIKELIHOODS[family]
