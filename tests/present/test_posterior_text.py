"""Printed posteriors and comparisons, text for text, on draws that are made by hand."""

from functools import cache
from itertools import count, islice

import numpy as np
import pytest
from scipy.special import ndtri

import lmmformula as lf
from corpus import dataset
from lmmformula.present.posterior import decimals_for
from lmmformula.stan.draws import Draws

CHAINS, LENGTH = 2, 250


def radical_inverse(base: int) -> np.ndarray:
    """Return the van der Corput sequence: numbers between 0 and 1 that no random generator can change."""

    def numbers() -> object:
        for i in count(1):
            value, scale, n = 0.0, 1.0 / base, i
            while n:
                value, n, scale = value + scale * (n % base), n // base, scale / base
            yield value

    return np.fromiter(islice(numbers(), CHAINS * LENGTH), dtype=float).reshape(CHAINS, LENGTH)


@cache
def dyestuff() -> tuple[lf.Model, lf.Posterior]:
    """Make a small model, and a posterior of it whose draws are the normal quantiles of such sequences."""
    model = lf.Model("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff"))
    normal = [ndtri(radical_inverse(base)) for base in (2, 3, 5, 7, 11, 13, 17, 19, 23)]
    arrays = {
        "Intercept": 1527 + 20 * normal[0],
        "sd_Batch": np.abs(50 + 15 * normal[1]),
        "sigma": 50 + 7 * normal[2],
        "u_Batch": np.stack([10 * z for z in normal[3:]], axis=-1),
    }
    statistics = {name: np.zeros((CHAINS, LENGTH)) for name in ("lp", "divergent", "treedepth")}
    draws = Draws(arrays, statistics | {"energy": normal[0]}, engine="none", seed=1, seconds=0.25, warmup=100)
    parts = (model.ir, model.schema, model.design, model.stan(), draws, model.table, "Dyestuff")
    return model, lf.Posterior(*parts)


POSTERIOR = """\
Posterior of Yield ~ 1 + (1 | Batch)
   Data: Dyestuff: 30 rows; Batch, 6 levels
Sampler: none, marginal form, 2 chains of 250 draws, seed 1, 0.2 s

Fixed effects:
               mean    sd  mcse      q5     q95  ess_bulk  ess_tail   rhat
(Intercept)  1526.8  19.7  0.54  1494.2  1559.4      1349       569  0.996

Standard deviations and correlations:
                         mean     sd   mcse     q5    q95  ess_bulk  ess_tail   rhat
sd[Batch, (Intercept)]  49.84  14.90  0.631  25.22  74.19       560       569  0.996
sigma                   49.94   6.97  0.279  38.45  61.33       625       559  0.996

Diagnostics: not to be trusted yet: bulk ESS of random[Batch, F, (Intercept)] is 155 (should be 200 or more)"""

COMPARISON = """\
REML beside the posterior of Yield ~ 1 + (1 | Batch)
   Data: Dyestuff: 30 rows; Batch, 6 levels
Sampler: none, marginal form, 2 chains of 250 draws, seed 1, 0.2 s

Fixed effects
             estimate    se  posterior mean  posterior sd  difference  in sds
(Intercept)    1527.5  19.4          1526.8          19.7        -0.7   -0.03

Standard deviations and correlations
                          estimate  posterior mean  posterior sd     q5    q95  difference  in sds
Batch     sd (Intercept)     42.00           49.84         14.90  25.22  74.19        7.83    0.53
Residual  sigma              49.51           49.94          6.97  38.45  61.33        0.43    0.06

Random effects (the first 5 of 6; all are in .random)
group  level               estimate     se  posterior mean  posterior sd  difference  in sds
Batch  A      (Intercept)    -17.61  19.59           -0.24          9.96       17.37    1.74
Batch  B      (Intercept)      0.39  19.59           -0.28          9.97       -0.67   -0.07
Batch  C      (Intercept)     28.56  19.59           -0.23          9.89      -28.79   -2.91
Batch  D      (Intercept)    -23.08  19.59           -0.36          9.90       22.72    2.29
Batch  E      (Intercept)     56.73  19.59           -0.42         10.01      -57.15   -5.71

Explained variance: 0.418487 estimated, 0.484545 posterior mean
Largest difference: 5.71 posterior sds (random[Batch, E, (Intercept)])
Diagnostics: not to be trusted yet: bulk ESS of random[Batch, F, (Intercept)] is 155 (should be 200 or more)"""


def test_a_posterior() -> None:
    """Heading, fixed effects, standard deviations and correlations, verdict."""
    _, posterior = dyestuff()
    assert str(posterior) == POSTERIOR
    assert repr(posterior) == str(posterior)


def test_a_comparison() -> None:
    """Both sides by kind of parameter, then what sums them up."""
    model, posterior = dyestuff()
    assert str(lf.compare(model.fit(), posterior)) == COMPARISON


def test_notebooks_get_tables() -> None:
    """HTML with the same numbers."""
    model, posterior = dyestuff()
    assert posterior._repr_html_().count("<tr>") == 2 + 3
    assert lf.compare(model.fit(), posterior)._repr_html_().count("<table>") == 3


@pytest.mark.parametrize(
    ("sds", "decimals"), [([9.0, 0.9], 3), ([120.0], 0), ([1e-12], 6), ([], 3), ([0.0, float("nan"), 2.0], 2)]
)
def test_decimals_show_three_digits_of_the_smallest_sd(sds: list[float], decimals: int) -> None:
    """More would be noise, and fewer would hide the smallest."""
    assert decimals_for(sds) == decimals
