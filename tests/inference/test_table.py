"""Tables as they are printed."""

import numpy as np
import pandas as pd
import pytest

import fits
import lmmformula as lf
from lmmformula.inference.table import ResultTable, format_column

COLUMNS = {
    "decimals in common": ("estimate", [251.405, 10.467, -0.5], ["251.405", "10.467", "-0.500"]),
    "whole numbers": ("num_df", [2, 3.0], ["2", "3"]),
    "degrees of freedom": ("den_df", [17.00001, 152.4], ["17.00", "152.40"]),
    "whole degrees of freedom": ("den_df", [16.99999, 45.0], ["17", "45"]),
    "small numbers": ("estimate", [0.000123, 0.00002], ["0.00012300", "0.00002000"]),
    "large beside small numbers": ("estimate", [2514.05, 0.0123], ["2514.0500", "0.0123"]),
    "rounding beside numbers": ("estimate", [2.5, 1e-16], ["2.5000", "0.0000"]),
    "statistics": ("f", [1234.5678, 1e-9], ["1234.568", "0.000"]),
    "very small numbers": ("estimate", [1.5e-12, 2e-13], ["1.5000e-12", "2.0000e-13"]),
    "very large numbers": ("estimate", [1.5e12, 0.5], ["1.5000e+12", "5.0000e-01"]),
    "missing and infinite": ("df", [np.nan, np.inf, 3.5], ["", "Inf", "3.50"]),
    "nothing but missing": ("estimate", [np.nan], [""]),
    "probabilities": ("p_value", [0.5, 0.00004, np.nan, 1.0, 0.0], ["0.5000", "<0.0001", "", "1.0000", "<0.0001"]),
    "text": ("contrast", ["a - b", "a - c"], ["a - b", "a - c"]),
    "no rows": ("estimate", [], []),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_columns(case: str) -> None:
    """Each kind of column as text."""
    name, values, expected = COLUMNS[case]
    assert format_column(name, values) == expected


def test_rows_without_names() -> None:
    """Row numbers are left out, text stands to the left, and columns without any number disappear."""
    frame = pd.DataFrame({"f": ["a", "bb"], "estimate": [1.25, 10.5], "df": [np.nan, np.nan]})
    assert str(ResultTable("T", frame)).splitlines() == ["T", "f   estimate", "a      1.250", "bb    10.500"]


def test_html_is_escaped() -> None:
    """Names of a user's data can't bring markup into a notebook."""
    html = ResultTable("<b>", pd.DataFrame({"x": [1.5]}, index=["<i>"]), ("<u>",))._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<i>" not in html
    assert "&lt;u&gt;" in html


def test_what_a_table_does_not_have_is_said() -> None:
    """Columns of a table, parameters of intervals and terms of variance components are asked for by name."""
    fit = fits.fit_of("lmm-003r")
    with pytest.raises(lf.FitError, match="no column 'p'") as refused:
        fit.anova()["p"]
    assert "p_value" in refused.value.hint
    with pytest.raises(lf.FitError, match="no interval for 'days'"):
        fit.confint("fixed")["days"]
    with pytest.raises(lf.FitError, match="no grouping factor 'subject'"):
        fit.varcorr["subject"]
