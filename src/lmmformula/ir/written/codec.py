"""A model as a dict that JSON can hold, and back."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lmmformula.covariances.table import of_record
from lmmformula.errors import FormulaError
from lmmformula.formula.parse import parse_text
from lmmformula.ir.expand import DOT
from lmmformula.ir.expressions import BINARY, UNARY, Apply, Constant, Expression, Variable
from lmmformula.ir.family import Family
from lmmformula.ir.functions import bound
from lmmformula.ir.lower.formula import lower_formula
from lmmformula.ir.priors import Prior, PriorTarget
from lmmformula.ir.records import FixedTerms, ModelRecord, RandomTerm, Response
from lmmformula.ir.terms import Term
from lmmformula.ir.written.text import canonical_text

VERSION = 1
"""Of the layout; a reader refuses a newer one."""

Json = dict[str, Any]


def encode(ir: ModelRecord) -> Json:
    """Write a model as a dict of lists, strings, numbers, booleans and None."""
    return {
        "version": VERSION,
        "response": {"kind": ir.response.kind, "expressions": [_encode(e) for e in ir.response.expressions]},
        "fixed": {
            "intercept": ir.fixed.intercept,
            "terms": _encode_terms(ir.fixed.terms),
            "pending": None if ir.fixed.pending is None else _encode(ir.fixed.pending),
        },
        "random": [_encode_random(term) for term in ir.random],
        "offsets": [_encode(offset) for offset in ir.offsets],
        "family": {"name": ir.family.name, "link": ir.family.link},
        "priors": [
            {
                "parameter": prior.target.parameter,
                "selectors": list(prior.target.selectors),
                "distribution": prior.distribution,
                "arguments": list(prior.arguments),
            }
            for prior in ir.priors
        ],
    }


def _encode_random(term: RandomTerm) -> Json:
    return {
        "intercept": term.intercept,
        "terms": _encode_terms(term.terms),
        "group": [variable.name for variable in term.group],
        "name": term.name,
        **term.covariance.record(),
    }


def _encode_terms(terms: tuple[Term, ...]) -> list[list[Json]]:
    return [[_encode(factor) for factor in term.factors] for term in terms]


def _encode(expression: Expression) -> Json:
    match expression:
        case Variable(name=name):
            return {"variable": name}
        case Constant(value=value, text=text):
            kind = type(value).__name__
            return {
                "constant": value if kind in ("bool", "str", "NoneType") else str(value),
                "type": kind,
                "text": text,
            }
        case Apply(function=function, arguments=arguments, keywords=keywords, package=package):
            return {
                "apply": function,
                "arguments": [_encode(argument) for argument in arguments],
                "keywords": [[name, _encode(value)] for name, value in keywords],
                "package": package,
            }


def decode(encoded: Json) -> ModelRecord:
    """Read what `encode` wrote; `FormulaError` for anything else."""
    if not isinstance(encoded, dict):
        raise _no_model(f"it is a {type(encoded).__name__}, not a dictionary")
    try:
        if encoded["version"] != VERSION:
            raise FormulaError(f"a model of layout {encoded['version']!r} can't be read: this version reads {VERSION}")
        ir = _decode_model(encoded)
        text = canonical_text(ir)
    except KeyError as error:
        raise _no_model(f"there is no {error}, or not this one") from None
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError):
        raise _no_model("a part of it is not what it should be") from None
    _require_sayable(ir, text)
    return ir


def _no_model(hint: str) -> FormulaError:
    return FormulaError("this is no model that to_dict() made", hint=hint)


def _require_sayable(ir: ModelRecord, text: str) -> None:
    """Refuse a model that no formula says: whatever a formula can't do, a dict can't do either."""
    try:
        said = lower_formula(parse_text(text))
    except FormulaError as error:
        raise _no_model(f"no formula says what it does: {error.message}") from None
    if replace(said, family=ir.family) != ir or [t.name for t in said.random] != [t.name for t in ir.random]:
        raise _no_model("no formula says what it does")


def _decode_model(encoded: Json) -> ModelRecord:
    fixed = encoded["fixed"]
    pending = None if fixed["pending"] is None else _decode(fixed["pending"])
    response = encoded["response"]
    counts = {"value": 1, "counts": 2, "proportion": 2}
    if len(response["expressions"]) != counts[response["kind"]]:
        raise ValueError("response")
    return ModelRecord(
        response=Response(response["kind"], tuple(map(_decode, response["expressions"]))),
        fixed=FixedTerms(_flag(fixed["intercept"]), _decode_terms(fixed["terms"]), pending is not None, pending),
        random=tuple(map(_decode_random, encoded["random"])),
        offsets=tuple(map(_decode, encoded["offsets"])),
        family=Family(_text(encoded["family"]["name"]), _text(encoded["family"]["link"])),
        priors=tuple(map(_decode_prior, encoded["priors"])),
    )


def _decode_random(encoded: Json) -> RandomTerm:
    terms = _decode_terms(encoded["terms"])
    group = tuple(Variable(_text(name)) for name in encoded["group"])
    intercept = _flag(encoded["intercept"])
    if not group or not (intercept or terms):
        raise ValueError("random term")
    return RandomTerm(intercept, terms, group, of_record(encoded), name=_text(encoded["name"]))


def _decode_prior(encoded: Json) -> Prior:
    target = PriorTarget(_text(encoded["parameter"]), tuple(map(_text, encoded["selectors"])))
    return Prior(target, _text(encoded["distribution"]), tuple(map(float, encoded["arguments"])))


def _decode_terms(encoded: list[list[Json]]) -> tuple[Term, ...]:
    return tuple(Term(tuple(map(_decode, factors))) for factors in encoded)


def _decode(encoded: Json) -> Expression:
    match encoded:
        case {"variable": str(name)}:
            return Variable(name)
        case {"constant": value, "type": kind, "text": str(text)}:
            return Constant(CONSTANTS[kind](value), text)
        case {"apply": str(function), "arguments": arguments, "keywords": keywords, "package": str(package)}:
            named = tuple((_text(name), _decode(value)) for name, value in keywords)
            return _known(Apply(function, tuple(map(_decode, arguments)), named, package=package))
        case _:
            raise ValueError("expression")


def _known(call: Apply) -> Apply:
    """Refuse a function that a formula could not call either."""
    if (
        call.function not in BINARY
        and call.function not in UNARY
        and call.function not in ("(", DOT.function, "offset")
    ):
        bound(call)
    return call


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is not true or false")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


CONSTANTS: dict[str, Callable[[Any], float | str | bool | None]] = {
    "float": float,
    "int": int,
    "bool": _flag,
    "str": _text,
    "NoneType": lambda _: None,
}
"""Type of a constant -> how to read it."""
