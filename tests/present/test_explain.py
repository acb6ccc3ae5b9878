"""`Model.explain()`, text for text."""

import lmmformula as lf
from corpus import dataset
from fits import model_of

SLEEPSTUDY = """\
Model      Reaction ~ Days + (Days | Subject)
Family     gaussian, link identity
Data       180 rows

Variables
  Reaction (response)
  Days (numeric)
  Subject (groups)

Fixed effects: 2 coefficients
  (Intercept)
  Days

Random effects: 36 in all
  Subject: 18 levels (308, 309, 310, 330, 331, 332, ...)
    2 coefficients each: (Intercept), Days; every standard deviation and correlation free (3 parameters)

In maths
  Reaction = β1 + β2·Days + b1[Subject] + b2[Subject]·Days + ε
  (b1, b2)[Subject] ~ N(0, Σ1), Σ1 a 2 x 2 covariance matrix (every standard deviation and correlation free)
  ε ~ N(0, σ²)"""

OATS = """\
Model      yield ~ Variety * nitroF + (1 | Block) + (1 | Variety:Block)
Family     gaussian, link identity
Data       72 rows

Variables
  yield (response)
  Variety (factor, 3 levels, treatment)
  nitroF (factor, 4 levels, treatment)
  Block (groups)

Fixed effects: 12 coefficients
  (Intercept)
  Variety: VarietyMarvellous, VarietyVictory
  nitroF: nitroF0.2, nitroF0.4, nitroF0.6
  Variety:nitroF: VarietyMarvellous:nitroF0.2, VarietyVictory:nitroF0.2, VarietyMarvellous:nitroF0.4, \
VarietyVictory:nitroF0.4, VarietyMarvellous:nitroF0.6, VarietyVictory:nitroF0.6

Random effects: 24 in all
  Variety:Block: 18 levels (Golden Rain:I, Golden Rain:II, Golden Rain:III, Golden Rain:IV, Golden Rain:V, \
Golden Rain:VI, ...)
    1 coefficient: (Intercept); one standard deviation (1 parameter)
  Block: 6 levels (I, II, III, IV, V, VI)
    1 coefficient: (Intercept); one standard deviation (1 parameter)

In maths
  yield = β1 + β2·VarietyMarvellous + β3·VarietyVictory + β4·nitroF0.2 + β5·nitroF0.4 + β6·nitroF0.6 + \
β7·VarietyMarvellous:nitroF0.2 + ... + β12·VarietyVictory:nitroF0.6 + b1[Variety:Block] + b2[Block] + ε
  b1[Variety:Block] ~ N(0, τ1²)
  b2[Block] ~ N(0, τ2²)
  ε ~ N(0, σ²)"""


def test_a_slope_that_varies() -> None:
    """Variables with their kinds, coefficients, levels, and equations."""
    assert model_of("lmm-003r").explain() == SLEEPSTUDY


def test_factors_and_several_groups() -> None:
    """Columns of factors by term, nested groups, long equations shortened."""
    assert model_of("lmm-036r").explain() == OATS


def test_what_was_left_out_is_said() -> None:
    """Rows with missing values by variable, columns that depend on others, weights and offset."""
    text = model_of("lmm-098r").explain()
    assert "dropped, because other columns determine them: x2" in text
    data = dataset("toy_na")
    text = lf.Model("y ~ x + z + (1 | g)", data, weights="w", offset="off").explain()
    assert f" of {len(data)}; " in text
    assert "left out with missing values (" in text
    assert text.endswith("+ offset + ε\n  b1[g] ~ N(0, τ1²)\n  ε ~ N(0, σ² / weight)")


def test_other_families_have_a_link_and_no_residual() -> None:
    """What the formula means does not wait for what can be fitted."""
    model = lf.Model("cbind(incidence, size - incidence) ~ 1 + (1 | herd)", dataset("cbpp"), family="binomial")
    assert model.explain().splitlines()[-3:] == [
        "  logit(mean of cbind(incidence, size - incidence)) = β1 + b1[herd]",
        "  b1[herd] ~ N(0, τ1²)",
        "  cbind(incidence, size - incidence) ~ binomial",
    ]
