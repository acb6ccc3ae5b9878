"""Linear functions of coefficients as text, `(f2b + f2c) / 2 - f2a = 0`: read by hand, nothing is executed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FormulaError, Span, meant

NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
WORD = re.compile(r"`[^`]*`|[^\s+\-*/()=`]+")
DEEPEST = 100
"""Brackets and signs inside one another."""


@dataclass(frozen=True, slots=True)
class Affine:
    """weights @ coefficients + constant, the meaning of a piece of text."""

    weights: FloatArray
    constant: float

    def __add__(self, other: "Affine") -> "Affine":
        return Affine(self.weights + other.weights, self.constant + other.constant)

    def __mul__(self, factor: float) -> "Affine":
        return Affine(self.weights * factor, self.constant * factor)

    @property
    def is_number(self) -> bool:
        """Whether no coefficient is in it."""
        return not self.weights.any()


@dataclass(slots=True)
class _Reader:
    """
    A reader of one text.

    names : (p,) coefficients; at each place the longest name that stands there is meant, so that `(Intercept)`,
        `log(x + 1)` and `VarietyGolden Rain` need no quotes
    """

    text: str
    names: Sequence[str]
    at: int = 0
    depth: int = 0
    by_length: list[tuple[int, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.by_length = sorted(enumerate(self.names), key=lambda item: -len(item[1]))

    def whole(self) -> Affine:
        """Read a sum, or two with `=` between them, whose difference is meant."""
        self._skip()
        out = self._sum()
        if self._takes("="):
            out += self._sum() * -1.0
        if self.at < len(self.text):
            raise self._error(f"'{self.text[self.at]}' can't stand here")
        return out

    def _sum(self) -> Affine:
        out = self._product()
        while sign := self._takes("+", "-"):
            out += self._product() * (1.0 if sign == "+" else -1.0)
        return out

    def _product(self) -> Affine:
        out = self._signed()
        while True:
            start = self.at
            sign = self._takes("*", "/")
            if not sign:
                return out
            other = self._signed()
            if sign == "/" and (not other.is_number or other.constant == 0.0):
                raise self._error("only numbers other than zero can stand behind '/'", start)
            if not out.is_number and not other.is_number:
                raise self._error("a product of coefficients is no linear function of them", start)
            if sign == "/":
                out *= 1.0 / other.constant
            else:
                out = out * other.constant if other.is_number else other * out.constant

    def _signed(self) -> Affine:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self._error(f"more than {DEEPEST} brackets or signs stand inside one another")
        sign = self._takes("+", "-") if self._name() is None else ""
        out = self._signed() * (-1.0 if sign == "-" else 1.0) if sign else self._atom()
        self.depth -= 1
        return out

    def _atom(self) -> Affine:
        zero = np.zeros(len(self.names))
        if (found := self._name()) is not None:
            position, length = found
            self.at += length
            self._skip()
            zero[position] = 1.0
            return Affine(zero, 0.0)
        if number := NUMBER.match(self.text, self.at):
            self.at = number.end()
            self._skip()
            return Affine(zero, float(number[0]))
        if self._takes("("):
            inside = self._sum()
            if not self._takes(")"):
                raise self._error("a bracket is not closed")
            return inside
        raise self._unknown()

    def _name(self) -> tuple[int, int] | None:
        """Return position and length of the longest coefficient's name that starts here."""
        for position, name in self.by_length:
            for written in (name, f"`{name}`"):
                end = self.at + len(written)
                if self.text.startswith(written, self.at) and not self._goes_on(written, end):
                    return position, len(written)
        return None

    def _goes_on(self, written: str, end: int) -> bool:
        """Tell whether the character behind a name would belong to a longer word."""
        following = self.text[end : end + 1]
        return _is_word(written[-1:]) and (_is_word(following) or following in (":", "[", "("))

    def _takes(self, *symbols: str) -> str:
        self._skip()
        found = next((symbol for symbol in symbols if self.text.startswith(symbol, self.at)), "")
        self.at += len(found)
        self._skip()
        return found

    def _skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def _unknown(self) -> FormulaError:
        if self.at >= len(self.text):
            return self._error("something is missing at the end")
        word = WORD.match(self.text, self.at)
        if word is None:
            return self._error(f"'{self.text[self.at]}' can't stand here")
        name = word[0].strip("`")
        hint = meant(name, self.names, f"they are: {', '.join(self.names[:12])}")
        error = self._error(f"no coefficient is named '{name}'", hint=hint)
        error.span = Span(self.at, word.end())
        return error

    def _error(self, message: str, start: int | None = None, *, hint: str = "") -> FormulaError:
        place = self.at if start is None else start
        return FormulaError(message, text=self.text, span=Span(place, place + 1), hint=hint)


def read_linear(text: str, names: Sequence[str]) -> Affine:
    """
    Read a linear function of named coefficients.

    >>> read_linear("(f2b + f2c)/2 - x = 3", ["(Intercept)", "x", "f2b", "f2c"])
    Affine(weights=array([ 0. , -1. ,  0.5,  0.5]), constant=-3.0)
    """
    reader = _Reader(text.rstrip(), names)
    with np.errstate(all="ignore"):  # what is not finite is refused
        found = reader.whole()
    if not np.isfinite([*found.weights, found.constant]).all():
        raise FormulaError("the numbers are too large", text=text, span=Span(0, len(text)))
    return found


def _is_word(character: str) -> bool:
    return character.isalnum() or character in ("_", ".") if character else False
