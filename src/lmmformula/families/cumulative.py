"""Ordered categories: a latent variable around eta falls between two cutpoints."""

from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.families.calculus.jets import Real, chosen, value_of
from lmmformula.families.calculus.special import log1m_exp
from lmmformula.families.family import Family, Observed, Own
from lmmformula.families.stan_words import StanWords

LATENT = {
    "logit": lambda rng, size: rng.logistic(size=size),
    "probit": lambda rng, size: rng.standard_normal(size),
    "cloglog": lambda rng, size: -rng.gumbel(size=size),
    "loglog": lambda rng, size: rng.gumbel(size=size),
    "cauchit": lambda rng, size: rng.standard_cauchy(size),
}
"""Link -> draws of the latent variable around 0."""


@dataclass(frozen=True)
class Cumulative(Family):
    """Categories from 1, P(y <= k) = F(cutpoint[k] - eta), with F the inverse link."""

    link: str = "logit"
    name = "cumulative"
    aliases = ("ordinal", "ocat", "clm", "clmm", "polr")
    links = ("logit", "probit", "cloglog")
    support = "whole numbers from 1, or a factor"
    ordinal = True

    def log_density(self, observed: Observed, eta: Real, own: Own) -> Real:
        """
        Return log[F(above) - F(below)] of the cutpoints around each category, in the tail where no digits are lost.

        own : cutpoints (..., 1, K - 1), or (..., K - 1)
        """
        category, cutpoints = observed.y.astype(np.intp), np.asarray(own["cutpoint"])
        last = cutpoints.shape[-1] + 1
        within = cutpoints[..., 0, :] if cutpoints.ndim > 1 else cutpoints
        above = within[..., np.minimum(category, last - 1) - 1] - eta
        below = within[..., np.maximum(category, 2) - 2] - eta
        link = self.mean_link
        assert link.log_rest is not None
        low = link.log(above) + log1m_exp(chosen(category == 1, np.inf, link.log(above) - link.log(below)))
        high_above, high_below = link.log_rest(above), link.log_rest(below)
        high = high_below + log1m_exp(chosen(category == last, np.inf, high_below - high_above))
        upper = (category == last) | ((category > 1) & (value_of(high_below) < value_of(link.log(below))))
        return chosen(upper, high, low)

    def mean(self, eta: FloatArray, own: Own) -> FloatArray:
        """Return the mean of the categories' numbers."""
        return np.asarray(1 + self._above(eta, own["cutpoint"]).sum(axis=-1), dtype=np.float64)

    def probability(self, eta: FloatArray, own: Own, category: int) -> FloatArray:
        """
        Return the probability of one category, P(y > category - 1) - P(y > category).

        category : from 1
        """
        above, last = self._above(eta, own["cutpoint"]), own["cutpoint"].shape[-1] + 1
        more = 1.0 if category == 1 else above[..., category - 2]
        return np.asarray(more - (0.0 if category == last else above[..., category - 1]), dtype=np.float64)

    def _above(self, eta: FloatArray, cutpoints: FloatArray) -> FloatArray:
        """Return the probabilities (..., K - 1) that the category is above each cutpoint."""
        rest = self.mean_link.log_rest
        assert rest is not None
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(rest(cutpoints - np.asarray(eta)[..., np.newaxis])), dtype=np.float64)

    def variance(self, mean: FloatArray, own: Own) -> FloatArray:
        """Return NaN: numbers of categories have no variance of their own."""
        return np.full_like(mean, np.nan)

    def cdf(self, observed: Observed, eta: FloatArray, own: Own) -> FloatArray:
        """Return P(Y <= y)."""
        padded = np.concatenate([np.asarray(own["cutpoint"]).ravel(), [np.inf]])
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(self.mean_link.log(padded[observed.y.astype(np.intp) - 1] - eta)))

    def draw(self, eta: FloatArray, own: Own, rng: np.random.Generator, trials: FloatArray | float = 1.0) -> FloatArray:
        """Draw categories: the number of cutpoints below a latent variable around eta, and 1."""
        latent = eta + LATENT[self.link](rng, np.shape(eta))
        return np.asarray(1 + (latent[..., np.newaxis] > own["cutpoint"]).sum(axis=-1), dtype=np.float64)

    @classmethod
    def holds(cls, y: FloatArray) -> BoolArray:
        """Tell which values are numbers of categories."""
        return np.asarray((y >= 1) & (y == np.floor(y)), dtype=np.bool_)

    def predictor(self, observed: Observed) -> FloatArray:
        """Return zeros: the cutpoints place the categories."""
        return np.zeros_like(observed.y)

    def expected_at(self, y: FloatArray, trials: FloatArray | None, known: FloatArray) -> tuple[float, FloatArray]:
        """Return 0, and a spread of 1."""
        return 0.0, np.zeros(1)

    def stan(self, *, trials: bool = True, broken: bool = False) -> StanWords:
        """Return the words of Stan."""
        return WORDS[self.link]


def _words(name: str, latent: str, glm: str = "", row_function: str = "", rows: str = "", order: str = "") -> StanWords:
    return StanWords(
        "array[N] int<lower=1, upper=$K> y;",
        f"{name}($eta, $cutpoint)",
        f"{name}(eta, cutpoint)",
        glm,
        integer=True,
        draw=f"category({latent}, $cutpoint)",
        draw_function="""\
// The category that a latent number falls into.
int category(real latent, vector cutpoint) {
  int k = 1;
  for (c in cutpoint) {
    k += latent > c;
  }
  return k;
}""",
        row_function=row_function,
        rows=rows,
        order=order,
    )


WORDS = {
    "logit": _words("ordered_logistic", "$eta + logistic_rng(0, 1)", "ordered_logistic_glm($X, b, $cutpoint)"),
    "probit": _words("ordered_probit", "$eta + normal_rng(0, 1)"),
    "cloglog": _words(
        "ordered_cloglog",
        "$eta - gumbel_rng(0, 1)",
        row_function="""\
// Log density of a category: inv_cloglog(cutpoint[k] - eta) is the
// probability of the k-th or a lower one.
real ordered_cloglog_lpmf(int y, real eta, vector cutpoint) {
  if (y == 1) {
    return log1m_exp(-exp(cutpoint[1] - eta));
  }
  real a = cutpoint[y - 1] - eta;
  if (y > size(cutpoint)) {
    return -exp(a);
  }
  return log1m_exp(-exp(log_diff_exp(cutpoint[y] - eta, a))) - exp(a);
}""",
        rows="""\
// inv_cloglog(cutpoint[k] - eta) is the probability of k or lower
vector[size($cutpoint)] width = $cutpoint;
width[2 : ] = log_diff_exp($cutpoint[2 : ], head($cutpoint, size($cutpoint) - 1));
target += log1m_exp(-exp(width[y[not_last]] - eta[not_last]));
target += -exp($cutpoint[category_below] - eta[not_first]);""",
        order="""\
// rows of all categories but the last, and of all but the first
array[N] int order = sort_indices_asc(y);
int n_first = 0;
int n_last = 0;
for (n in 1 : N) {
  n_first += y[n] == 1;
  n_last += y[n] == $K;
}
array[N - n_last] int not_last = head(order, N - n_last);
array[N - n_first] int not_first = tail(order, N - n_first);
array[N - n_first] int category_below;
for (i in 1 : N - n_first) {
  category_below[i] = y[not_first[i]] - 1;
}""",
    ),
}
"""Link -> categories in Stan; the distribution function of what is drawn around eta is the inverse of the link."""
