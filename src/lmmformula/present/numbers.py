"""Numbers as R prints them: columns share as many digits as their neediest element deserves."""

import math
import sys
from collections.abc import Sequence

SUMMARY_DIGITS = 4
"""`max(3, getOption("digits") - 3)`, what R's summaries print."""
DEFAULT_DIGITS = 7
"""`getOption("digits")`."""


def format_numbers(values: Sequence[float], digits: int = DEFAULT_DIGITS, least_decimals: int = 0) -> list[str]:
    """
    Format numbers to one width, like R's `format(x, digits, nsmall)`.

    All get the number of decimals that shows `digits` significant digits of the element that needs most of them,
    or, if that is narrower, scientific notation.

    >>> format_numbers([251.40510, 1.5458], 4)
    ['251.405', '  1.546']
    >>> format_numbers([1e-20, 1.0], 3)
    ['1e-20', '1e+00']
    """
    finite = [_scientific(value, digits) for value in values if math.isfinite(value)]
    decimals = max([max(0, significant - power - 1) for significant, power in finite], default=0)
    wanted = max([significant for significant, _ in finite], default=1)
    left = max([max(power, 0) + 1 for _, power in finite], default=1)
    wide_exponent = any(abs(power) >= 100 for _, power in finite)
    fixed_width = left + decimals + (decimals > 0)
    scientific_width = wanted + (wanted > 1) + 4 + wide_exponent
    if fixed_width <= scientific_width:
        decimals = max(decimals, least_decimals)
        cells = [_word(value) or f"{value:.{decimals}f}" for value in values]
    else:
        cells = [_word(value) or f"{value:.{wanted - 1}e}" for value in values]
    width = max(map(len, cells), default=0)
    return [cell.rjust(width) for cell in cells]


def format_number(value: float, digits: int = DEFAULT_DIGITS) -> str:
    """
    Format one number, like R's `format(x, digits)`.

    >>> format_number(3675.31104, 7)
    '3675.311'
    """
    return format_numbers([value], digits)[0]


def format_p_values(values: Sequence[float], digits: int) -> list[str]:
    """
    Format p values, like R's `format.pval`: those below 0.0001 apart from the others, none below a double's precision.

    >>> format_p_values([0.0123, 1e-30], 3), format_p_values([3.21e-7, 1e-30], 3)
    (['0.0123', '<2e-16'], ['3.21e-07', '< 2e-16'])
    >>> format_p_values([0.000247, 7.61e-12], 3)
    ['0.000247', '7.61e-12']
    """
    cells = [""] * len(values)
    apart = 1e-4 if digits > 1 else 1e-3
    tiny = [value < sys.float_info.epsilon for value in values]
    for small in (False, True):
        chosen = [i for i, value in enumerate(values) if not tiny[i] and (value < apart) == small]
        for i, cell in zip(chosen, format_numbers([values[i] for i in chosen], digits), strict=True):
            cells[i] = cell
    width = max(map(len, cells), default=0)
    digits = max(1, digits - 2)
    if 0 < width < digits + 6:
        digits = max(1, width - 7)
    gap = "" if digits == 1 and width <= 6 else " "
    smallest = "<" + gap + format_number(sys.float_info.epsilon, digits)
    return [smallest if is_tiny else cell for cell, is_tiny in zip(cells, tiny, strict=True)]


def format_coefficients(columns: Sequence[Sequence[float]], digits: int = SUMMARY_DIGITS) -> list[list[str]]:
    """
    Format estimates and standard errors to common decimals, like R's `printCoefmat`.

    >>> format_coefficients([[251.40510, 10.46729], [6.82460, 1.54579]])
    [['251.405', ' 10.467'], ['  6.825', '  1.546']]
    """
    flat = [value for column in columns for value in column]
    sizes = [abs(value) for value in flat if math.isfinite(value) and value != 0]
    magnitude = 1 + math.floor(math.log10(min(sizes))) if sizes else 1
    cells = format_numbers([round_to(value, max(1, digits - magnitude)) for value in flat], digits)
    length = len(columns[0]) if columns else 0
    return [cells[start : start + length] for start in range(0, len(cells), max(length, 1))]


def format_statistics(values: Sequence[float], digits: int = SUMMARY_DIGITS) -> list[str]:
    """
    Format test statistics, like R's `printCoefmat`: one decimal fewer than `digits`.

    >>> format_statistics([28.4100], 4)
    ['28.41']
    """
    return format_numbers([round_to(value, max(1, min(5, digits - 1))) for value in values], digits)


def zap_small(values: Sequence[float], digits: int) -> list[float]:
    """Round all to the decimals that give the largest `digits` significant digits, like R's `zapsmall`."""
    largest = max([abs(value) for value in values if math.isfinite(value)], default=0.0)
    decimals = digits if largest == 0 else max(0, math.floor(digits - math.log10(largest) + 0.5))
    return [round_to(value, decimals) for value in values]


def round_to(value: float, decimals: int) -> float:
    """Round to decimals, correctly in the decimal sense (numpy's rounding multiplies and divides); no minus zero."""
    return round(value, decimals) + 0.0 if math.isfinite(value) else value


def abbreviate(names: Sequence[str], length: int) -> list[str]:
    """
    Shorten names to about `length` characters and keep them distinct, like R's `abbreviate`.

    >>> abbreviate(["(Intercept)", "MachineB"], 6)
    ['(Intr)', 'MachnB']
    """
    distinct = list(dict.fromkeys(name.lstrip(" ") for name in names))
    short = {name: _shorten(name, length) for name in distinct}
    while len(set(short.values())) < len(short):
        length += 1
        seen = list(short.values())
        for name in distinct:
            if seen.count(short[name]) > 1:
                short[name] = _shorten(name, length)
    return [short[name.lstrip(" ")] for name in names]


def _scientific(value: float, digits: int) -> tuple[int, int]:
    """Count the significant digits needed (at most `digits`), and find the power of ten."""
    if value == 0:
        return 1, 0
    mantissa, power = f"{abs(value):.{max(digits, 1) - 1}e}".split("e")
    return max(1, len(mantissa.replace(".", "").rstrip("0"))), int(power)


def _word(value: float) -> str:
    if math.isfinite(value):
        return ""
    return "NaN" if math.isnan(value) else ("Inf" if value > 0 else "-Inf")


def _shorten(name: str, length: int) -> str:
    """Strip from the right: lower-case vowels, lower-case letters, then anything; ends of words first."""
    text = name.rstrip(" ")
    kinds = (lambda c: c in "aeiou", str.islower)
    for kind in kinds:
        for ends_only in (True, False):
            for i in range(len(text) - 1, 0, -1):
                if _letters(text) <= length:
                    return text.replace(" ", "") if len(text) > length else text
                if i < len(text) and kind(text[i]) and (_ends_word(text, i) if ends_only else text[i - 1] != " "):
                    text = text[:i] + text[i + 1 :]
    for i in range(len(text) - 1, 0, -1):
        if len(text) > length and text[i - 1] != " " and text[i] != " ":
            text = text[:i] + text[i + 1 :]
    return text.replace(" ", "") if len(text) > length else text


def _letters(text: str) -> int:
    return len(text) - text.count(" ")


def _ends_word(text: str, i: int) -> bool:
    return text[i - 1] != " " and (i + 1 == len(text) or text[i + 1] == " ")
