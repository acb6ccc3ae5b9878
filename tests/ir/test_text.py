import json
import warnings

from hypothesis import given, settings

from lmmformula.errors import FitWarning, FormulaError
from lmmformula.formula.parse import parse_text
from lmmformula.ir.lower.model import lower
from lmmformula.ir.model import ModelIR
from strategies import formulas


def read(text: str) -> ModelIR | None:
    """Parse a drawn formula; None if it is one of those that mean nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        try:
            return lower(parse_text(text))
        except FormulaError:
            return None


def written(ir: ModelIR) -> list[object]:
    """List what decides the names of columns and levels: equal models may differ in it."""
    return [
        ir.response.label,
        [term.label for term in ir.fixed.terms],
        [([term.label for term in random.terms], random.group_name) for random in ir.random],
        [str(prior) for prior in ir.priors],
    ]


@settings(max_examples=400, deadline=None)
@given(formulas())
def test_the_canonical_text_parses_back(text: str) -> None:
    """str(ir) is read, without a warning, as an equal model whose columns have the same names in the same order."""
    ir = read(text)
    if ir is None:
        return
    again = lower(parse_text(str(ir)))
    assert again == ir
    assert written(again) == written(ir)
    assert str(again) == str(ir)


@settings(max_examples=200, deadline=None)
@given(formulas())
def test_the_dict_is_json_and_comes_back(text: str) -> None:
    """from_dict undoes to_dict, through JSON."""
    ir = read(text)
    if ir is None:
        return
    again = ModelIR.from_dict(json.loads(json.dumps(ir.to_dict(), allow_nan=False)))
    assert again == ir
    assert written(again) == written(ir)
    assert str(again) == str(ir)
