"""Printed fits against what R prints, text for text, at R's theta."""

from typing import Any

import pytest

from corpus import records
from fits import fit_of
from lmmformula.present.summary import brief, summary, varcorr_lines

TEXTS = [pytest.param(about, id=about["fit_id"]) for about in records("summary_text")]
WIDTH = 100
"""`options(width = 100)` of the session that made the records."""


def as_printed(lines: list[str], formula: str) -> str:
    """Join R's lines; its heading shows `||` spelt out, ours the formula as it is written."""
    return "\n".join(f"Formula: {formula}" if line.startswith("Formula: ") else line for line in lines)


@pytest.mark.parametrize("about", TEXTS)
def test_the_summary_is_lme4s(about: dict[str, Any]) -> None:
    """Criterion, scaled residuals, random effects, fixed effects, their correlation, in lme4's layout and rounding."""
    assert summary(fit_of(about["fit_id"]), width=WIDTH) == as_printed(about["summary"], about["formula"])


@pytest.mark.parametrize("about", TEXTS)
def test_the_short_print_is_lme4s(about: dict[str, Any]) -> None:
    """What `fit` shows at R's prompt."""
    assert brief(fit_of(about["fit_id"]), width=WIDTH) == as_printed(about["print"], about["formula"])


@pytest.mark.parametrize("about", TEXTS)
def test_the_variance_components_are_lme4s(about: dict[str, Any]) -> None:
    """What `VarCorr(fit)` shows at R's prompt: five digits."""
    assert varcorr_lines(fit_of(about["fit_id"]).varcorr, digits=5) == about["varcorr"]
