"""Hypotheses of each type by what they mean, single deletions, and the exact tests of linear models."""

import warnings

import numpy as np
import pytest

import lmmformula as lf
from corpus import dataset
from fits import fit_of
from lmmformula.inference.means import model_columns as columns
from lmmformula.inference.means.marginal_means import emmeans
from lmmformula.inference.means.model_columns import coding_rows, full_columns, treatment_columns
from lmmformula.inference.tests.anova import anova, single_deletions
from lmmformula.inference.tests.anova_contrasts import contained_in, hypotheses, sequential, triangle


def cell_means(fit: lf.LinearMixedFit, factor: str) -> np.ndarray:
    """Differences between the marginal means of a factor's levels, as rows of L."""
    L = emmeans(fit, factor, ddf="none").L
    return L[1:] - L[0]


@pytest.mark.parametrize("contrast", ["treatment", "sum", "helmert", "poly"])
def test_type_three_compares_marginal_means(contrast: str) -> None:
    """A type III hypothesis of a factor says that its marginal means are equal, however factors are coded."""
    contrasts = {"Treatment": contrast, "sex": contrast}
    fit = lf.Model(
        "weight ~ Treatment * sex + Lsize + (1 | Litter)", dataset("RatPupWeight"), contrasts=contrasts
    ).fit()
    rows = hypotheses(fit, "III")
    for factor in ("Treatment", "sex"):
        assert same_span(rows[factor], cell_means(fit, factor))


@pytest.mark.parametrize("contrast", ["sum", "helmert"])
@pytest.mark.parametrize("kind", ["I", "II", "III"])
def test_no_test_depends_on_the_coding(contrast: str, kind: str) -> None:
    """
    Contrasts change the coefficients, but not F.

    Satterthwaite's joint degrees of freedom rest on the principal components of L beta, which do depend on L's rows, as
    in lmerTest; the differences are in the fourth digit.
    """
    formula, data = "weight ~ Treatment * sex + Lsize + (1 | Litter)", dataset("RatPupWeight")
    plain = anova(lf.Model(formula, data).fit(), kind).frame
    coded = anova(lf.Model(formula, data, contrasts={"Treatment": contrast, "sex": contrast}).fit(), kind).frame
    np.testing.assert_allclose(coded[["f", "num_df"]], plain[["f", "num_df"]], rtol=1e-7)
    np.testing.assert_allclose(coded["den_df"], plain["den_df"], rtol=2e-3)


def test_types_agree_where_the_design_is_balanced() -> None:
    """In the split plot of oats all three types are one."""
    fit = fit_of("lmm-036r")
    tables = [anova(fit, kind).frame for kind in ("I", "II", "III")]
    for table in tables[1:]:
        np.testing.assert_allclose(table, tables[0], rtol=1e-6)


def test_types_can_be_numbers() -> None:
    """`1` and `"1"` stand for `"I"`; anything else is refused with the choices."""
    fit = fit_of("lmm-065r")
    np.testing.assert_array_equal(anova(fit, 1).frame, anova(fit, "I").frame)
    with pytest.raises(lf.FitError, match="type='IV' is not known"):
        anova(fit, "IV")
    with pytest.raises(lf.FitError, match="type=\\['I'\\] is not known"):
        anova(fit, ["I"])
    with pytest.raises(lf.FitError, match="ddf='welch' is not known"):
        anova(fit, ddf="welch")


def test_containment_needs_the_same_numeric_variables() -> None:
    """`f` is contained in `f:g`, and in `x:f` only `x` is: x alone has the same numeric variables."""
    fit = lf.lmer("y ~ f2 * f3 + f2 * x + (1 | g)", dataset("toy"))
    found = contained_in(fit)
    assert found["f2"] == ("f2:f3",)
    assert found["x"] == ("f2:x",)
    assert found["f2:x"] == ()


def test_numeric_matrices_are_numeric() -> None:
    """`poly(x, 2)` and `scale(x)` are numeric variables: a factor beside them is not contained in their interaction."""
    fit = lf.lmer("y ~ f2 * poly(x, 2) + f3 * scale(z) + (1 | g)", dataset("toy"))
    found = contained_in(fit)
    assert (found["f2"], found["f3"]) == ((), ())
    assert found["poly(x, 2)"] == ("f2:poly(x, 2)",)


@pytest.mark.parametrize(
    "formula",
    ["y ~ f2 * f3 + x + (1 | g)", "y ~ 0 + f2 + f3:x + (1 | g)", "y ~ f2:f3 + (1 | g)", "y ~ lgl * x + chr + (1 | g)"],
)
def test_treatment_columns_stand_among_the_full_ones(formula: str) -> None:
    """Each treatment-coded column is, number for number, one of the columns of all levels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lf.FitWarning)  # one of them has a column too many
        fit = lf.lmer(formula, dataset("toy"))
    X, _, positions = treatment_columns(fit)
    np.testing.assert_array_equal(full_columns(fit)[:, positions], X)


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger"])
@pytest.mark.parametrize("reml", [True, False])
def test_linear_models_have_exact_tests(ddf: str, *, reml: bool) -> None:
    """Without random terms F is the textbook's: from residual sums of squares, with n - p degrees of freedom."""
    data = dataset("RatPupWeight")
    fit = lf.lmer("weight ~ Treatment + sex + Lsize", data, reml=reml)
    table = anova(fit, "II", ddf).frame
    whole = np.sum(fit.residuals() ** 2)
    left = fit.nobs - fit.design.n_fixed
    for term, smaller in (("Treatment", "sex + Lsize"), ("sex", "Treatment + Lsize"), ("Lsize", "Treatment + sex")):
        row = table.loc[term]
        more = np.sum(lf.lmer(f"weight ~ {smaller}", data).residuals() ** 2) - whole
        assert row["sum_sq"] == pytest.approx(more)
        assert row["f"] == pytest.approx(more / row["num_df"] / (whole / left))
        assert row["den_df"] == left


def test_asymptotic_tests_are_chi_squared_tests() -> None:
    """With infinite degrees of freedom, num_df F is chi-squared; with none there are no probabilities."""
    from scipy.stats import chi2

    fit = fit_of("lmm-036r")
    table = anova(fit, ddf="asymptotic").frame
    np.testing.assert_allclose(table["p_value"], chi2.sf(table["f"] * table["num_df"], table["num_df"]))
    assert anova(fit, ddf="none").frame["p_value"].isna().all()
    assert "p_value" not in str(anova(fit, ddf="none"))


def test_single_deletions_respect_marginality() -> None:
    """Only terms that no other one contains are tested, by the hypothesis that their columns are zero."""
    table = single_deletions(fit_of("lmm-063r")).frame
    assert list(table.index) == ["Lsize", "Treatment:sex"]
    known = anova(fit_of("lmm-063r"), "II").frame.loc[table.index]
    np.testing.assert_allclose(table, known, rtol=1e-9)


def test_deleting_one_of_two_equivalent_terms_tests_nothing() -> None:
    """Where x2 repeats x, the model without either is the same model, and there is nothing to test."""
    table = single_deletions(fit_of("lmm-098r")).frame
    assert table["num_df"].to_dict() == {"x": 0, "x2": 0, "f3": 2}
    known = anova(fit_of("lmm-098r"), "II").frame
    assert table["f"]["f3"] == pytest.approx(known["f"]["f3"])


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger", "asymptotic", "none"])
def test_a_model_without_fixed_effects_has_nothing_to_test(ddf: str) -> None:
    """Whatever the method."""
    assert len(anova(lf.lmer("y ~ 0 + (1 | g)", dataset("toy")), ddf=ddf)) == 0


def test_a_model_of_an_intercept_has_an_empty_table() -> None:
    """No terms, no rows; and it prints."""
    table = anova(fit_of("lmm-022r"))
    assert len(table) == 0
    assert str(table).startswith("Type III analysis of variance")


@pytest.mark.parametrize(
    "formula", ["y ~ f2 * f3 + x + (1 | g)", "y ~ 0 + f2 + f3:x + (1 | g)", "y ~ ord * f2 + (1 | g)"]
)
def test_some_rows_tell_how_columns_are_coded(formula: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Type III hypotheses from a sample of the rows are those from all; all are used if the sample is too poor."""
    fit = lf.lmer(formula, dataset("toy"))
    whole = hypotheses(fit, "III")
    monkeypatch.setattr(columns, "ROWS_PER_COLUMN", 1)
    for size in (100, 1):
        monkeypatch.setattr(columns, "SAMPLE", size)
        assert size == 1 or len(coding_rows(fit)) == size
        for name, L in hypotheses(fit, "III").items():
            np.testing.assert_allclose(L, whole[name], atol=1e-7)


def test_the_triangle_keeps_its_digits() -> None:
    """A column far from zero, beside an intercept, and columns too dependent for a Cholesky factor."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal(500)
    for far in (1e3, 1e7, 1e9):
        X = np.column_stack([np.ones(500), x + far, x**2])
        R, known = triangle(X), np.linalg.qr(X, mode="r")
        np.testing.assert_allclose(sequential(R)[1:], sequential(known)[1:], atol=1e-16 * far**2 + 1e-9)


def same_span(left: np.ndarray, right: np.ndarray) -> bool:
    """Whether the rows of two matrices span the same."""
    rank = np.linalg.matrix_rank
    return rank(left) == rank(right) == rank(np.vstack([left, right]))
