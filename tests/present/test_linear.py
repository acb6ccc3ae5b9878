"""Linear models against what R's lm prints."""
# ruff: noqa: W291 (lines that R prints end in blanks)

import lmmformula as lf
from corpus import dataset
from lmmformula.present.linear import linear_brief, linear_summary

SUMMARY = """\
Linear model fit by least squares
Formula: Reaction ~ Days
   Data: sleepstudy

Residuals:
     Min       1Q   Median       3Q      Max 
-110.848  -27.483    1.546   26.142  139.953 

Coefficients:
            Estimate Std. Error t value Pr(>|t|)
(Intercept)  251.405      6.610  38.033  < 2e-16
Days          10.467      1.238   8.454 9.89e-15

Residual standard error: 47.71 on 178 degrees of freedom
Multiple R-squared:  0.2865,\tAdjusted R-squared:  0.2825 
F-statistic: 71.46 on 1 and 178 DF,  p-value: 9.894e-15"""

BRIEF = """\
Linear model fit by least squares
Formula: Reaction ~ Days
   Data: sleepstudy

Coefficients:
(Intercept)         Days  
     251.41        10.47  """


def test_the_summary_is_lms() -> None:
    """R 4.2.2: summary(lm(Reaction ~ Days, sleepstudy)), but for its heading and its stars."""
    fit = lf.Model("Reaction ~ Days", dataset("sleepstudy")).fit()
    assert linear_summary(fit) == SUMMARY
    assert str(fit) == SUMMARY


def test_the_short_print_is_lms() -> None:
    """R 4.2.2: print(lm(Reaction ~ Days, sleepstudy)), but for its heading."""
    assert linear_brief(lf.Model("Reaction ~ Days", dataset("sleepstudy")).fit()) == BRIEF


def test_an_intercept_alone_has_no_r_squared_line() -> None:
    """As in R, where there is nothing to explain variance with."""
    text = linear_summary(lf.Model("Reaction ~ 1", dataset("sleepstudy")).fit())
    assert text.endswith("Residual standard error: 56.33 on 179 degrees of freedom")
