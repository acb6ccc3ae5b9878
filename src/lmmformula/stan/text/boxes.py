"""A statement that is too long -> lines, broken where stanc's formatter breaks it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

WIDTH = 78
"""Longest line."""
DEEPEST = 68
"""Longest indentation."""
LONG_NAME = 17
"""Length of a function's name from which its arguments go on below the name's third letter, not below each other."""
ASSIGNED = (" = ", " += ", " -= ", " *= ", " ./= ", " ~ ")
OPERATORS = ((" || ",), (" && ",), (" == ", " != "), (" < ", " <= ", " > ", " >= "), (" + ", " - "))
PRODUCTS = (" * ", " .* ", " / ", " ./ ", " \\ ")
"""Operators with two sides, those that bind least first; blanks around them tell them from signs."""


@dataclass(frozen=True, slots=True)
class Break:
    """A place where a line may end; otherwise so many blanks."""

    blanks: int = 1


@dataclass(frozen=True, slots=True)
class Box:
    """
    Text that stays on one line if it fits; else it ends lines at its breaks and goes on below its beginning.

    back : columns by which it goes on before its beginning
    """

    parts: tuple["str | Break | Box", ...]
    back: int = 0

    @property
    def width(self) -> int:
        """Width on one line."""
        return sum(map(_width, self.parts))


def broken(statement: str, indent: int) -> str:
    """
    Lay a statement out, behind so many blanks.

    >>> print(broken("s ~ normal(0, [" + ", ".join(["1234567.125"] * 7) + "]');", indent=2))
      s ~ normal(0,
                 [1234567.125, 1234567.125, 1234567.125, 1234567.125,
                  1234567.125, 1234567.125, 1234567.125]');
    >>> print(broken("log_lik[n] = beta_lpdf(y[n] | " + "phi * inv_logit(eta[n]), " + "phi * inv_logit(-eta[n]));", 2))
      log_lik[n] = beta_lpdf(y[n] | phi * inv_logit(eta[n]),
                             phi * inv_logit(-eta[n]));
    >>> print(broken("vector[3] around = [Intercept_c - X_means[1] * b[1] - X_means[2] * b[2], b[1], 0]';", indent=2))
      vector[3] around = [Intercept_c - X_means[1] * b[1] - X_means[2] * b[2],
                          b[1], 0]';
    """
    line = " " * indent + statement
    if len(line) < WIDTH:
        return line
    if statement.endswith(") {"):
        return _head(line)
    cut = max((found for sign in ASSIGNED if (found := _first(statement, sign)) >= 0), default=-1)
    if cut < 0:
        return line
    start = statement.index(" ", cut + 1) + 1
    page = _Page([" " * indent + statement[:start]])
    page.add(_expression(statement[start:].removesuffix(";")))
    page.lines[-1] += ";" * statement.endswith(";")
    return "\n".join(page.lines)


def _head(line: str) -> str:
    """Lay out the first line of a function or loop."""
    start = line.index("(") + 1
    page = _Page([line[:start]])
    arguments: list[str | Break | Box] = []
    for separator, argument in _arguments(line[start : -len(") {")]):
        arguments += [separator, Break()] if separator else []
        arguments += [argument]
    page.add(Box((*arguments, ")")))
    return "\n".join([*page.lines[:-1], page.lines[-1] + " {"])


@dataclass(slots=True)
class _Page:
    """The lines so far; what OCaml's module Format does with boxes, for stanc."""

    lines: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Columns that are left."""
        return WIDTH - len(self.lines[-1])

    def add(self, box: Box) -> None:
        """
        Write a box: on this line if it leaves a column free, else broken where its parts leave none.

        Behind a part that went on further right than the box does, nothing follows on the same line.
        """
        if box.width < self.left:
            self.lines[-1] += _flat(box)
            return
        indent = " " * min(len(self.lines[-1]) - box.back, DEEPEST)
        for number, part in enumerate(box.parts):
            match part:
                case str():
                    self.lines[-1] += part
                case Break(blanks) if self._fits(blanks + _until_break(box.parts[number + 1 :]), indent):
                    self.lines[-1] += " " * blanks
                case Break():
                    self.lines += [indent]
                case Box():
                    self.add(part)

    def _fits(self, width: int, indent: str) -> bool:
        """Say whether a width is left on a line that does not begin right of an indentation."""
        line = self.lines[-1]
        return width < self.left and len(line) - len(line.lstrip()) <= len(indent)


def _until_break(parts: Sequence[str | Break | Box]) -> int:
    width = 0
    for part in parts:
        if isinstance(part, Break):
            break
        width += _width(part)
    return width


def _width(part: str | Break | Box) -> int:
    return part.blanks if isinstance(part, Break) else part.width if isinstance(part, Box) else len(part)


def _flat(part: str | Break | Box) -> str:
    match part:
        case str():
            return part
        case Break(blanks):
            return " " * blanks
        case Box(parts):
            return "".join(map(_flat, parts))


# --- expressions, in which operators with two sides stand between blanks, and no other signs do --------------------


def _expression(text: str) -> Box:
    """Cut an expression at the operator that binds least, the last of those; else into a call and its arguments."""
    if (question := _first(text, " ? ")) >= 0:
        colon = _first(text, " : ", question)
        then, other = text[question + 3 : colon], text[colon + 3 :]
        parts = (_expression(text[:question]), Break(), "? ", _expression(then), Break(), ": ", _expression(other))
        return Box(parts)
    for signs in (*OPERATORS, PRODUCTS):
        last, sign = max((_last(text, sign), sign) for sign in signs)
        if last >= 0:
            left, right = text[:last], text[last + len(sign) :]
            return Box((_expression(left), Break(), sign[1:], _expression(right)))
    return _call(text)


def _call(text: str) -> Box:
    """Cut a call, a row of numbers or what stands in parentheses; an index and a name stay whole."""
    start = next((place for place, sign in enumerate(text) if sign in "(["), len(text))
    stop = next((place for place, depth in _depths(text) if depth == 0 and place >= start), len(text))
    if start == len(text) or (text[start] == "[" and text[:start].lstrip("-")):
        return Box((text,))
    inside, end = text[start + 1 : stop], text[stop:]
    if text[start] == "(" and not text[:start].lstrip("-"):
        return Box((text[: start + 1], _expression(inside), end))
    arguments: list[str | Break | Box] = [Break(0)] if text[start] == "(" else []
    for separator, argument in _arguments(inside):
        arguments += [separator, Break()] if separator else []
        arguments += [_expression(argument)]
    bracket, after = end[:1], end[1:]
    name = text[:start].lstrip("-")
    back = len(name) - 1 if len(name) >= LONG_NAME else 0
    return Box((text[: start + 1], Box((*arguments, bracket), back), after))


def _arguments(text: str) -> Iterator[tuple[str, str]]:
    """Cut arguments at commas, and behind the bar of a density; each with what stands before it."""
    start, separator = 0, ""
    for place, depth in _depths(text):
        if depth == 0 and text[place : place + 2] == ", ":
            yield separator, text[start:place]
            start, separator = place + 2, ","
        elif depth == 0 and text[place : place + 3] == " | ":
            yield separator, text[start:place]
            start, separator = place + 3, " |"
    yield separator, text[start:]


def _first(text: str, sign: str, start: int = 0) -> int:
    """Find a sign outside of all brackets; -1 if it is not there."""
    return next((p for p, depth in _depths(text) if depth == 0 and p >= start and text.startswith(sign, p)), -1)


def _last(text: str, sign: str) -> int:
    return max((p for p, depth in _depths(text) if depth == 0 and text.startswith(sign, p)), default=-1)


def _depths(text: str) -> Iterator[tuple[int, int]]:
    """Give each place the number of brackets that are open behind it."""
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        yield place, depth
