"""What the optimiser knows of a fit: its log, the precision of the variance parameters, and fits of other responses."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from lmmformula.present.text import Text
from lmmformula.results.fitted import FitAccessors
from lmmformula.results.glmm import as_mixed
from lmmformula.results.lmm import LinearMixedResult
from lmmformula.screen import paged

if TYPE_CHECKING:
    import pandas as pd


class ExaminedFit(FitAccessors):
    """A fit of any family with the optimiser's view of it as methods."""

    @property
    def trace(self) -> Text:
        """
        The elimination that was used and why, each evaluation of the criterion, and why the optimiser stopped.

        >>> import lmmformula as lf
        >>> fit = lf.Model("Yield ~ 1 + (1 | Batch)", lf.datasets.load("Dyestuff")).fit()
        >>> fit.trace.count("criterion") == fit.fit.log.evaluations
        True
        """
        return Text(paged(str(self.fit.log)))

    def variance_vcov(self, scale: Literal["theta", "log_sd"] = "theta") -> "pd.DataFrame":
        """
        Covariance matrix of the variance parameters, from the exact second derivatives of the criterion.

        scale : "theta" for theta and sigma; "log_sd" for the logarithms of all standard deviations, sigma's the last

        Raises
        ------
        FitError
            The fit has been saved without its data.

        >>> import lmmformula as lf
        >>> fit = lf.Model("Yield ~ 1 + (1 | Batch)", lf.datasets.load("Dyestuff")).fit()
        >>> fit.variance_vcov("log_sd").shape
        (2, 2)
        """
        from lmmformula.inference.intervals.precision import variance_covariance

        assert isinstance(self, LinearMixedResult)  # others have been refused
        return variance_covariance(self, scale)

    def refit(self, y: npt.ArrayLike) -> Any:  # noqa: ANN401 (a fit for one response, a frame for many)
        """
        Fit the same model to another response, or to many, reusing all that depends on X and Z only.

        y : (n,) one value per row used, or per row of the data that were given, of a binomial family shares of the
            trials, as `simulate` gives them: returns a fit; or (n, m), a matrix or data frame of m
            responses: returns a data frame with a row of estimates for each (of one alone, in other families than the
            gaussian, a fit)

        >>> import lmmformula as lf
        >>> fit = lf.Model("Yield ~ 1 + (1 | Batch)", lf.datasets.load("Dyestuff")).fit()
        >>> fit.refit(fit.simulate(3, seed=1))["(Intercept)"].round(0).tolist()
        [1539.0, 1497.0, 1519.0]
        """
        if np.ndim(y) != 2 or (np.shape(y)[1] == 1 and not isinstance(self, LinearMixedResult)):
            return self._refitted(y)
        from lmmformula.inference.refits.refitter import estimates_of_each

        return estimates_of_each(as_mixed(self), y)
