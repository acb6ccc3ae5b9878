"""Tests and estimates of what a user asks of the fixed effects; each method a call to `inference`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from lmmformula.api.methods.marginal import MarginalEffects
from lmmformula.errors import FitError
from lmmformula.newcomers import answering
from lmmformula.results.arguments import check_choice, check_flag
from lmmformula.results.fitted import FitAccessors
from lmmformula.results.glmm import MixedResult, as_mixed

if TYPE_CHECKING:
    from lmmformula.inference.table import ResultTable
    from lmmformula.inference.tests.anova_contrasts import AnovaType
    from lmmformula.inference.tests.contrasts import Hypothesis
    from lmmformula.inference.tests.linear_functions import Ddf
    from lmmformula.inference.tests.multiplicity import Adjustment


class HypothesisTests(MarginalEffects, FitAccessors):
    """A fit of any family with its tests as methods."""

    def anova(
        self,
        *others: MixedResult,
        type: "AnovaType" = "III",  # noqa: A002 (its name everywhere)
        ddf: "Ddf | None" = None,
        refit: bool = True,
        names: Sequence[str] | None = None,
    ) -> "ResultTable":
        """
        Test each fixed term, by F, or by Wald's chi-squared in other families; or, with other fits, compare them.

        Those are likelihood ratio tests.

        type : "I" after the terms before it, "II" after all that don't contain it, "III" averaged over other factors
        ddf : "satterthwaite" (None), "kenward-roger", "asymptotic" or "none"; in other families "asymptotic"
        refit : whether REML fits are fitted again by ML when they are compared
        names : of the fits that are compared, this one's first
        """
        check_flag("refit", refit)
        if others:
            from lmmformula.inference.tests.likelihood_ratio import compare_fits

            return compare_fits([as_mixed(self), *others], refit=refit, names=names)
        from lmmformula.inference.tests.anova import anova

        return anova(as_mixed(self), type, ddf)

    def drop1(self, *, test: Literal["lrt", "f"] = "lrt", ddf: "Ddf | None" = None) -> "ResultTable":
        """
        Leave out each fixed term that no other one contains.

        test : "lrt" fits again by ML, as lme4's `drop1`; "f" tests within this fit, as lmerTest's: by Wald's
            chi-squared in other families than the gaussian
        """
        check_choice("test", test, ("lrt", "f"))
        if test == "lrt":
            from lmmformula.inference.tests.likelihood_ratio import drop_fixed_terms

            return drop_fixed_terms(as_mixed(self))
        from lmmformula.inference.tests.anova import single_deletions

        return single_deletions(as_mixed(self), ddf)

    def ranova(self) -> "ResultTable":
        """Leave out each random term, or each of its slopes, and compare likelihoods, as lmerTest's `ranova`."""
        from lmmformula.inference.tests.likelihood_ratio import reduce_random_terms

        return reduce_random_terms(as_mixed(self))

    def contrast(
        self,
        hypothesis: "Hypothesis",
        *,
        ddf: "Ddf | None" = None,
        adjust: "Adjustment" = "none",
        level: float = 0.95,
    ) -> "ResultTable":
        """
        Estimate linear functions of the fixed effects, each with its t test (z in other families) and interval.

        hypothesis : `"f2b - f2a"`, `"x = 1"`, `{"x": 1, "z": -1}`, a list of such, or a matrix
        ddf : as in `anova`
        adjust : "holm" or "bonferroni" correct the probabilities for several tests
        """
        from lmmformula.inference.tests.contrasts import contrast

        return contrast(as_mixed(self), hypothesis, ddf=ddf, adjust=adjust, level=level)

    def linear_hypothesis(self, hypothesis: "Hypothesis", *, ddf: "Ddf | None" = None) -> "ResultTable":
        """Test several linear functions of the fixed effects together: by F, or by Wald's chi-squared."""
        from lmmformula.inference.tests.contrasts import linear_hypothesis

        return linear_hypothesis(as_mixed(self), hypothesis, ddf=ddf)


@answering
def anova(fit: HypothesisTests, *others: MixedResult, **options: Any) -> "ResultTable":  # noqa: ANN401
    """
    Test each fixed term of one fit; or compare several fits by likelihood ratios: `fit.anova(*others, ...)`.

    Terms of other families than the Gaussian are tested by Wald's chi-squared.

    options : those of `LinearMixedFit.anova`

    >>> import lmmformula as lf
    >>> data = lf.datasets.load("sleepstudy")
    >>> small = lf.lmer("Reaction ~ Days + (1 | Subject)", data)
    >>> print(lf.anova(small, lf.lmer("Reaction ~ Days + (Days | Subject)", data)).frame["p_value"].iloc[1] < 1e-9)
    True
    """
    if not isinstance(fit, HypothesisTests):
        raise FitError(f"anova needs fits, and was given a {fit.__class__.__name__}", hint="make one by model.fit()")
    return fit.anova(*others, **options)
