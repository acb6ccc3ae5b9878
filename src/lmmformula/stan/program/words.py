"""The words of a Stan program: numbers of priors, sampling statements and declarations."""

from dataclasses import dataclass


def number_text(value: float) -> str:
    """
    Write a number so that Stan reads the same one; never as a fraction, since 1/2 is 0 there.

    >>> number_text(2.0), number_text(0.1), number_text(-1e300), number_text(float("inf"))
    ('2', '0.1', '-1e+300', 'positive_infinity()')
    """
    if value in (float("inf"), float("-inf")):
        return "positive_infinity()" if value > 0 else "negative_infinity()"
    return repr(int(value)) if value == int(value) and abs(value) < 1e9 else repr(float(value))


@dataclass(frozen=True, slots=True)
class Number:
    """
    A number of a prior: an entry of the data block, or a figure in the program's text.

    name : its name in the data block; "" for one that is always written in place (0, degrees of freedom)
    values : one number, or one for each element of a vector parameter
    positive : whether it must be greater than 0
    """

    name: str
    values: tuple[float, ...]
    positive: bool = False

    def text(self, *, literals: bool) -> str:
        """Write its name, or the number or column vector of numbers themselves."""
        if self.name and not literals:
            return self.name
        texts = [number_text(value) for value in self.values]
        return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]'"

    @property
    def type(self) -> str:
        """Its type in the data block."""
        bounds = "<lower=0>" if self.positive else ""
        return f"real{bounds}" if len(self.values) == 1 else f"vector{bounds}[{len(self.values)}]"


@dataclass(frozen=True, slots=True)
class Statement:
    """
    `left ~ distribution(arguments);`.

    left : a parameter, or one element of it
    """

    left: str
    distribution: str
    arguments: tuple[Number, ...]

    def text(self, *, literals: bool = False) -> str:
        """Write it as Stan text, with its numbers in place or by their names."""
        arguments = ", ".join(number.text(literals=literals) for number in self.arguments)
        return f"{self.left} ~ {self.distribution}({arguments});"


Bounds = tuple[Number | None, ...]
"""One bound for all elements of a parameter, or one for each: set by a user, or by nature, or none."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """
    One parameter.

    base : "real", "vector", "matrix", "cholesky_factor_corr"
    sizes : what stands in brackets, "" for a scalar
    lower, upper : one bound for all elements, or one for each
    array : size of the array of such things, "" for none
    """

    base: str
    sizes: str
    name: str
    comment: str = ""
    lower: Bounds = ()
    upper: Bounds = ()
    array: str = ""

    def text(self, *, literals: bool = False) -> str:
        """Write type and name as Stan text."""
        lower = _bounds(self.lower, float("-inf"), literals=literals)
        upper = _bounds(self.upper, float("inf"), literals=literals)
        bounds = ", ".join(f"{side}={text}" for side, text in (("lower", lower), ("upper", upper)) if text)
        bounds = f"<{bounds}>" if bounds else ""
        sizes = f"[{self.sizes}]" if self.sizes else ""
        array = f"array[{self.array}] " if self.array else ""
        return f"{array}{self.base}{bounds}{sizes} {self.name};"


def _bounds(bounds: Bounds, none: float, *, literals: bool) -> str:
    """Write a bound, or one for each element; "" where there is none at all."""
    if not any(bounds):
        return ""
    texts = [number_text(none) if bound is None else bound.text(literals=literals) for bound in bounds]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]'"
