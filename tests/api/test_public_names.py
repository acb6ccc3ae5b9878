"""What the package shows to the world."""

import subprocess
import sys

import pytest

import lmmformula as lf

NAMES = [
    "Comparison", "Contrast", "DataError", "EngineError", "FitError", "FitWarning", "FormulaError",
    "GeneralizedMixedFit", "LinearMixedFit", "LmmFormulaError", "Model", "ModelIR", "Posterior", "PosteriorMode",
    "PriorWarning", "SamplingWarning", "StanProgram", "__version__", "anova", "compare", "criteria", "datasets",
    "glmer", "lmer", "load", "parse", "power", "register",
]  # fmt: skip


def test_the_public_names_are_these() -> None:
    """Adding one is a decision, losing one an accident."""
    assert lf.__all__ == NAMES
    assert dir(lf) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_can_be_had(name: str) -> None:
    """Each is imported on first use."""
    assert getattr(lf, name) is not None


def test_other_names_are_missing() -> None:
    """With Python's own error."""
    with pytest.raises(AttributeError, match="no attribute 'glmm'"):
        lf.glmm  # noqa: B018


def test_the_version_is_the_installed_one() -> None:
    """As the metadata say."""
    assert lf.__version__.count(".") == 2


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import lmmformula", "numpy pandas scipy lark formulaic stanli cmdstanpy narwhals rich matplotlib"),
        ("import lmmformula.cli", "numpy pandas scipy lark formulaic stanli cmdstanpy narwhals rich"),
        ("import lmmformula as lf; lf.Model", "pandas lark formulaic stanli cmdstanpy rich scipy.stats"),
        ("import lmmformula as lf; lf.parse('y ~ x')", "pandas formulaic stanli cmdstanpy rich scipy"),
    ],
)
def test_heavy_packages_are_imported_on_use(code: str, absent: str) -> None:
    """What a step doesn't need it doesn't load."""
    check = f"import sys; {code}; print([m for m in {absent.split()!r} if m in sys.modules])"
    output = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"
