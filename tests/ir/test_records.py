"""What R and lme4 made of the same formulas, as far as the text alone decides."""

import re
import warnings
from typing import Any

import pytest

from corpus import dataset, records
from lmmformula.errors import FitWarning, FormulaError
from lmmformula.formula.parse import parse_text
from lmmformula.ir.lower.model import lower
from lmmformula.ir.model import ModelIR

BY_TEXT = {"rej-015", "rej-016", "rej-017", "rej-018", "rej-020", "rej-025", "rej-028", "rej-029", "rej-030", "rej-035",
           "rej-056", "rej-058", "rej-059", "rej-061", "rej-063", "rej-066", "rej-070"}  # fmt: skip
"""Rejections of lme4's that the text decides; the others need the data, or are ours to accept (`y ~ x`)."""

NEEDS_DATA = {"ssyn-53", "ssyn-54"}
"""More random effects than rows."""

REFUSED = {
    "ssyn-12": "a positional second argument is ignored by lme4",
    "ssyn-13": "an unknown argument is ignored by lme4",
    "ssyn-22": "`||` inside a structure loses the structure in lme4",
    "ssyn-31": "nothing varies between the groups",
    "ssyn-44": "a structure without a bar is stripped by lme4",
}
"""What lme4 takes and we refuse, each with its reason."""


def cases(kind: str) -> list[Any]:
    """Records of one kind, each named by its id."""
    return [pytest.param(record, id=record["id"]) for record in records(kind)]


def read(text: str) -> ModelIR:
    """Parse a formula; how a doubtful one is read is not the matter here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        return lower(parse_text(text))


@pytest.mark.parametrize("record", cases("lformula"))
def test_term_labels_are_those_of_R(record: dict[str, Any]) -> None:
    """The labels of terms.formula on lme4's frame formula, in which `||` is expanded and bars are plus signs."""
    formula = record["formula"]
    if "||" in formula and "/" not in formula:
        formula = " + ".join([record["nobars"], *(f"({bar})" for bar in record["findbars"])])
    ir = read(re.sub(r"\|\|?", "+", formula))
    if ir.fixed.dot:
        ir = ir.bind(dataset(record["dataset"]).columns)
    assert [term.label for term in ir.fixed.terms] == record["X_term_labels"]


@pytest.mark.parametrize("record", cases("lformula"))
def test_random_terms_are_those_of_lme4(record: dict[str, Any]) -> None:
    """Our random terms are lme4's findbars(), expanded and in its order, and the fixed terms its nobars()."""
    ir = read(record["formula"])
    assert ir.fixed == read(record["nobars"]).fixed
    assert ir.random == read("y ~ " + " + ".join(f"({bar})" for bar in record["findbars"])).random
    assert {random.group_name for random in ir.random} == {block["group"] for block in record["cnms"]}


@pytest.mark.parametrize("kind", ["lmm", "glmm", "lmm_structured"])
def test_fitted_formulas_are_read(kind: str) -> None:
    """Every formula that lme4 fitted is read, with the same grouping factors, and prints as what it is."""
    for record in records(kind):
        ir = read(record["formula"])
        assert {random.group_name for random in ir.random} == set(record["ngrps"]), record["id"]
        assert read(str(ir)) == ir
        if kind == "lmm_structured":
            found = {(r.group_name, r.covariance.name, r.covariance.homogeneous) for r in ir.random}
            expected = {(s["group"], s["structure"], bool(s["hom"])) for s in record["structure"]}
            assert found == expected, record["id"]


@pytest.mark.parametrize("record", cases("reject"))
def test_what_the_text_decides_is_refused_by_the_text(record: dict[str, Any]) -> None:
    """lme4's rejections that need no data are ours too, and nothing else is refused here."""
    if record["id"] in BY_TEXT:
        with pytest.raises(FormulaError):
            read(record["formula"])
    else:
        assert record["stage"] == "model"
        assert str(read(record["formula"]))


@pytest.mark.parametrize("record", cases("structured_syntax"))
def test_structures_are_read_as_lme4_reads_them(record: dict[str, Any]) -> None:
    """What lme4 2.1 accepts we accept with the same structures, but for what it silently ignores."""
    if record["id"] in REFUSED or not (record["accepted"] or record["id"] in NEEDS_DATA):
        with pytest.raises(FormulaError):
            read(record["formula"])
        return
    ir = read(record["formula"])
    if record["accepted"] and record["doublevert_default"] == "split" and record["id"] != "ssyn-09":
        found = [(r.group_name, r.covariance.name, r.covariance.homogeneous) for r in ir.random]
        expected = [(term["group"], term["structure"], bool(term["hom"])) for term in record["terms"]]
        assert sorted(found) == sorted(expected)


def test_brackets_inside_a_structure_change_nothing() -> None:
    """cs((x | g)) keeps its structure; lme4 2.1 silently makes it unstructured (record ssyn-09)."""
    assert read("y ~ cs((x | g))") == read("y ~ cs(x | g)") != read("y ~ (x | g)")
