"""Shares of successes among trials; zeros and ones are those of one trial."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.families.calculus.jets import Jet, Key, Real, up_to, value_of, variable
from lmmformula.families.calculus.special import best_binomial, inv_logit
from lmmformula.families.family import Family, Observed, Own, counted
from lmmformula.families.stan_words import COUNT, StanWords


@dataclass(frozen=True)
class Binomial(Family):
    """Successes, of a probability that is the inverse link of eta."""

    link: str = "logit"
    name = "binomial"
    aliases = ("bernoulli", "logistic")
    links = ("logit", "probit", "cloglog")
    support = "between 0 and 1"
    centre = "p"
    ends = (0.0, 1.0)

    def log_density(self, observed: Observed, eta: Real, own: Own) -> Real:
        """Return the log density of the shares."""
        m, y, (best, log_best) = observed.trials, observed.y, observed.once(_best)
        rest = self.mean_link.log_rest
        assert rest is not None
        return (y * self.mean_link.log(eta) + (1 - y) * rest(eta) - log_best) * m + best

    def at(self, observed: Observed, eta: Sequence[FloatArray], wanted: frozenset[Key]) -> Jet:
        """Return the log density with its derivatives; in one pass where the link is canonical."""
        if self.link != "logit":
            return super().at(observed, eta, wanted)
        (x,), m, (best, log_best) = eta, observed.trials, observed.once(_best)
        p = inv_logit(x)
        weight = m * p * (1 - p)
        value = best + m * (observed.y * x - np.logaddexp(0.0, x) - log_best)
        parts = {(): value, (0,): m * (observed.y - p), (0, 0): -weight, (0, 0, 0): weight * (2 * p - 1)}
        return counted(Jet({key: parts[key] for key in wanted}, wanted), observed)

    def expected(self, observed: Observed, eta: Real, own: Own) -> Real:
        """Return m p'^2 / (p (1 - p)) = -m a b, with a = (log p)' and b = (log (1 - p))'."""
        rest = self.mean_link.log_rest
        assert rest is not None
        x = variable(0, value_of(eta), up_to(2, 1))
        (a, da), (b, db) = ((f.at(0), f.at(0, 0)) for f in (self.mean_link.log(x), rest(x)))
        weight, slope = -observed.trials * a * b, -observed.trials * (a * db + b * da)
        return Jet({(): weight, (0,): slope}, eta.wanted) if isinstance(eta, Jet) else weight

    def variance(self, mean: FloatArray, own: Own) -> FloatArray:
        """Return mean (1 - mean)."""
        return mean * (1 - mean)

    def deviance(self, y: FloatArray, mean: FloatArray, own: Own) -> FloatArray:
        """Return the unit deviance."""
        from scipy.special import rel_entr

        return np.asarray(2 * (rel_entr(y, mean) + rel_entr(1 - y, 1 - mean)), dtype=np.float64)

    def cdf(self, observed: Observed, eta: FloatArray, own: Own) -> FloatArray:
        """Return P(Y <= y)."""
        from scipy.special import betainc

        m = np.broadcast_to(observed.trials, observed.y.shape)
        k = np.rint(m * observed.y)
        below = betainc(np.maximum(m - k, 0.5), k + 1, 1 - self.mean(eta, own))
        return np.where(k < m, below, 1.0)

    def draw(self, eta: FloatArray, own: Own, rng: np.random.Generator, trials: FloatArray | float = 1.0) -> FloatArray:
        """Draw shares of the trials."""
        many = np.broadcast_to(np.rint(trials).astype(np.int64), np.shape(eta))
        return np.asarray(rng.binomial(many, self.mean(eta, own)) / trials, dtype=np.float64)

    @classmethod
    def holds(cls, y: FloatArray) -> BoolArray:
        """Tell which values are from 0 to 1."""
        return (y >= 0) & (y <= 1)

    def cancelled(self, observed: Observed) -> float:
        """Return the size of the parts of the log density that its best value takes away."""
        return float(np.sum(observed.trials * np.abs(observed.once(_best)[1])))

    def predictor(self, observed: Observed) -> FloatArray:
        """Return the link of (m y + 1/2) / (m + 1)."""
        m = observed.trials
        return self.mean_link.of((m * observed.y + 0.5) / (m + 1))

    def stan(self, *, trials: bool = True, broken: bool = False) -> StanWords:
        """Return the words of Stan."""
        return (SHARES if broken else COUNTED if trials else BINARY)[self.link]

    def expected_at(self, y: FloatArray, trials: FloatArray | None, known: FloatArray) -> tuple[float, FloatArray]:
        """Return the link of the share of successes."""
        total = len(y) if trials is None else float(trials.sum())
        return self.mean_link.of_share(float(y.sum()), total) - float(known.mean()), np.zeros(1)


def _best(observed: Observed) -> tuple[FloatArray, FloatArray]:
    """Return the log density where the probability is the share, and the part of it in a trial that it varies by."""
    from scipy.special import entr

    y = observed.y
    return best_binomial(y, observed.trials), -entr(y) - entr(1 - y)


# --- Stan ------------------------------------------------------------------------------------------------------------

PROBABILITIES = {"logit": "inv_logit", "probit": "Phi", "cloglog": "inv_cloglog"}
"""Link -> its inverse."""
LOG_PROBABILITIES = {
    "logit": ("log_inv_logit(eta)", "log1m_inv_logit(eta)"),
    "probit": ("std_normal_lcdf(eta)", "std_normal_lcdf(-eta)"),
    "cloglog": ("log1m_exp(-exp(eta))", "-exp(eta)"),
}
"""Link -> logarithms of the probabilities of a success and of a failure."""


def _binary(link: str, glm: str = "", row: str = "", order: str = "", rows: str = "") -> StanWords:
    chance = PROBABILITIES[link]
    function = f"""\
// Log density of one or zero, 1 with probability {chance}(eta).
real bernoulli_{link}_lpmf(int y, real eta) {{
  return {row};
}}"""
    return StanWords(
        "array[N] int<lower=0, upper=1> y;",
        f"bernoulli_{link}($eta)",
        f"bernoulli({chance}(eta))",
        glm,
        integer=True,
        draw=f"bernoulli_rng({chance}($eta))",
        row_function=function if row else "",
        order=order,
        rows=rows,
    )


def _counted(link: str, order: str = "", rows: str = "", rows_function: str = "") -> StanWords:
    chance, (success, failure) = PROBABILITIES[link], LOG_PROBABILITIES[link]
    function = f"""\
// Log density of successes of probability {chance}(eta) in so many trials.
real binom_{link}_lpmf(int y, int trials, real eta) {{
  real total = lchoose(trials, y);
  if (y > 0) {{
    total += y * {success};
  }}
  if (y < trials) {{
    total += (trials - y) * {failure};
  }}
  return total;
}}"""
    return StanWords(
        COUNT,
        f"{'binom' if rows else 'binomial'}_{link}($trials, $eta)",
        f"binomial(trials, {chance}(eta))",
        integer=True,
        trials=True,
        draw=f"binomial_rng($trials, {chance}($eta))",
        row_function=function if rows else "",
        order=order,
        rows=rows,
        rows_function=rows_function,
    )


def _shares(link: str, rows: str) -> StanWords:
    chance, (success, failure) = PROBABILITIES[link], LOG_PROBABILITIES[link]
    return StanWords(
        "vector<lower=0>[N] y;",
        f"shares_{link}($trials, $eta)",
        f"binomial(trials, {chance}(eta)), y in parts",
        trials=True,
        draw=f"binomial_rng($trials, {chance}($eta))",
        row_function=f"""\
// Log density of successes, a whole number or not, in so many trials.
real shares_{link}_lpdf(real y, int trials, real eta) {{
  real total = lgamma(trials + 1) - lgamma(y + 1) - lgamma(trials - y + 1);
  total += y * {success};
  total += (trials - y) * {failure};
  return total;
}}""",
        order="vector[N] failures = to_vector(trials) - y;",
        rows=rows,
    )


BINARY = {
    "logit": _binary("logit", glm="bernoulli_logit_glm($X, $eta, b)"),
    "probit": _binary(
        "probit",
        row="std_normal_lcdf(y ? eta : -eta)",
        order="vector[N] signs = 2 * to_vector(y) - 1;",
        rows="target += std_normal_lcdf(signs .* eta);",
    ),
    "cloglog": _binary(
        "cloglog",
        row="y ? log1m_exp(-exp(eta)) : -exp(eta)",
        order="""\
// rows with zeros, and with ones
array[N] int order = sort_indices_asc(y);
int n_zeros = 0;
for (n in 1 : N) {
  n_zeros += y[n] == 0;
}
array[n_zeros] int zeros = head(order, n_zeros);
array[N - n_zeros] int ones = tail(order, N - n_zeros);""",
        rows="""\
target += log1m_exp(-exp(eta[ones]));
target += -exp(eta[zeros]);""",
    ),
}
"""Link -> zeros and ones."""

COUNTED = {
    "logit": _counted("logit"),
    "probit": _counted(
        "probit",
        rows_function="""\
// Sum of count * log(Phi(x)), for counts in rising order.
real log_Phi_sum(array[] int count, vector x) {
  real total = 0;
  int first = 1;
  for (n in 1 : size(count)) {
    if (n == size(count) || count[n + 1] > count[n]) {
      if (count[n] > 0) {
        total += count[n] * std_normal_lcdf(x[first : n]);
      }
      first = n + 1;
    }
  }
  return total;
}""",
        order="""\
// rows in the order of their successes, and of their failures
array[N] int by_successes = sort_indices_asc(y);
array[N] int successes = y[by_successes];
array[N] int failures;
for (n in 1 : N) {
  failures[n] = trials[n] - y[n];
}
array[N] int by_failures = sort_indices_asc(failures);
failures = failures[by_failures];""",
        rows="""\
target += log_Phi_sum(successes, eta[by_successes]);
target += log_Phi_sum(failures, -eta[by_failures]);""",
    ),
    "cloglog": _counted(
        "cloglog",
        order="""\
// rows with zeros, and with more
array[N] int order = sort_indices_asc(y);
int n_zeros = 0;
for (n in 1 : N) {
  n_zeros += y[n] == 0;
}
array[N - n_zeros] int some = tail(order, N - n_zeros);
vector[N - n_zeros] successes = to_vector(y[some]);
vector[N] failures = to_vector(trials) - to_vector(y);""",
        rows="""\
vector[N] hazard = exp(eta);
target += dot_product(successes, log1m_exp(-hazard[some]));
target += -dot_product(failures, hazard);""",
    ),
}
"""Link -> successes among trials."""

SHARES = {
    "logit": _shares(
        "logit",
        """\
target += dot_product(y, log_inv_logit(eta));
target += dot_product(failures, log1m_inv_logit(eta));""",
    ),
    "probit": _shares(
        "probit",
        """\
for (n in 1 : N) {
  target += y[n] * std_normal_lcdf(eta[n]);
  target += failures[n] * std_normal_lcdf(-eta[n]);
}""",
    ),
    "cloglog": _shares(
        "cloglog",
        """\
vector[N] hazard = exp(eta);
target += dot_product(y, log1m_exp(-hazard));
target += -dot_product(failures, hazard);""",
    ),
}
"""Link -> successes that are no whole numbers, as R takes them."""
