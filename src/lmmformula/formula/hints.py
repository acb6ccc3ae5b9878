"""What is wrong where a text doesn't parse, and what its writer may have meant."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

from lark import Token
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from lmmformula.errors import FormulaError, Span, printable
from lmmformula.newcomers import ARGUMENTS

OPERANDS = frozenset(("NAME", "QUOTED", "NUMBER", "STRING"))
OPERATORS = frozenset(("OR", "AND", "NOT", "COMPARE", "SIGN", "TIMES", "SPECIAL", "COLON", "POWER", "TILDE"))
ENDS = frozenset(("$END", "_END"))
EXAMPLE = "a formula looks like y ~ x + (x | group)"
PRIOR_EXAMPLE = "a prior looks like b ~ normal(0, 5)"

NLME = re.compile(r"\b((?:cor|pd|var)[A-Z]\w*)\([^()]*$")
"""A structure of nlme, whose own formula follows."""

DISTRIBUTION = re.compile(r"(~\s*)?\w+\s*\(\s*-?(?=[\d.])")
"""A distribution with a number, behind a `~` or not."""

LOOK_ALIKES = {
    "\u2212": "-", "\u2013": "-", "\u2014": "-", "\u223c": "~", "\uff5e": "~", "\u2223": "|", "\uff5c": "|",
    "\u00d7": "*", "\u2217": "*", "\uff0b": "+", "\uff08": "(", "\uff09": ")", "\u2018": "'", "\u2019": "'",
    "\u201c": '"', "\u201d": '"', "\u00b4": "`",
}  # fmt: skip
"""Characters that a word processor puts in the place of those that formulas are made of."""

UNUSABLE = {
    "$": "a column is named alone: x, not data$x",
    "@": "a column is named alone",
    "[": "there is no indexing; compute the column before you fit",
    "{": "there are no braces; compute the column before you fit",
    "\\": "there are no functions within formulas; compute the column before you fit",
    "%": "the operators between percent signs are %in%, %% and %/%",
    "?": "",
}
"""Characters that mean something in R, but not in a formula."""


WRAPPERS = {
    **dict.fromkeys(
        ("bf", "brmsformula", "mvbf", "mvbrmsformula"),
        "; predictors of other parameters and several responses are not supported yet",
    ),
    **dict.fromkeys(
        ("lmer", "glmer", "brm", "glmmTMB", "lm", "glm", "clm", "clmm", "stan_glmer", "formula", "as.formula"), ""
    ),
}
"""Functions of R that a formula may be wrapped in -> what else to say."""


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where the parser stopped.

    before : the token before, None at the start
    found : the token that can't stand here
    separated : whether a `~` came before in the same statement
    first : whether this is the first statement, the formula
    opening : the first token
    """

    text: str
    before: Token | None
    found: Token
    separated: bool
    first: bool
    opening: Token | None = None

    def error(self, message: str, hint: str = "", *, before: bool = False) -> FormulaError:
        """Make an error at what was found, or at what came before it."""
        token = self.before if before and self.before is not None else self.found
        start = token.start_pos if token.start_pos is not None and token.type != "$END" else len(self.text)
        end = token.end_pos if token.end_pos is not None and token.type != "$END" else start + 1
        return FormulaError(message, text=self.text, span=Span(start, end), hint=hint)


def explain(error: UnexpectedInput, text: str, tokens: Iterable[Token]) -> FormulaError:
    """
    Turn the parser's error into one that says what is wrong.

    tokens : all that the text consists of, at least up to the place of the error
    """
    match error:
        case UnexpectedToken(token=token):
            return _explain_token(_place(token, text, tokens))
        case UnexpectedCharacters(pos_in_stream=int(position)):
            return unusable_character(text[position], position, text)
        case _:
            return FormulaError("the formula can't be read", text=text, hint=EXAMPLE)


def unusable_character(character: str, position: int, text: str = "") -> FormulaError:
    """Say that a character can't stand in a formula."""
    if text[position : position + 2] == "\\n":
        hint = "statements are separated by `;`, or stand in lines of their own"
    elif character == "\\" and text[position + 1 : position + 2] != "(":
        hint = "did you mean `/`?"
    elif character in LOOK_ALIKES:
        hint = f"did you mean `{LOOK_ALIKES[character]}`?"
    else:
        hint = UNUSABLE.get(character, "a column whose name holds it goes into backticks: `a b`")
    message = f"unexpected character `{printable(character)}`"
    return FormulaError(message, text=text, span=Span(position, position + 1), hint=hint)


def _place(found: Token, text: str, tokens: Iterable[Token]) -> Place:
    at_end = found.type == "$END"
    earlier = list(takewhile(lambda token: at_end or (token.start_pos or 0) < (found.start_pos or 0), tokens))
    statements = [position for position, token in enumerate(earlier) if token.type == "_END" and position > 0]
    start = statements[-1] if statements else 0
    separated = any(token.type == "TILDE" for token in earlier[start:])
    before, opening = (earlier[-1], earlier[0]) if earlier else (None, None)
    return Place(text, before, found, separated, not statements, opening)


def _explain_token(place: Place) -> FormulaError:
    """Look the two tokens up between which the parser stopped."""
    rules = (_name, _package, _bar, _end, _wrapped, _prior, _equals, _operator, _missing_operator, _bracket)
    for rule in rules:
        error = rule(place)
        if error is not None:
            return error
    return place.error(f"unexpected `{printable(str(place.found))}`", EXAMPLE if place.first else PRIOR_EXAMPLE)


def _name(place: Place) -> FormulaError | None:
    """Tell a word that is no name."""
    word = str(place.found)
    if place.found.type != "NAME":
        return None
    for offset, character in enumerate(word):
        if not f"_{character.replace('.', '_')}".isidentifier():
            return unusable_character(character, (place.found.start_pos or 0) + offset, place.text)
    return None


def _package(place: Place) -> FormulaError | None:
    """Tell `::` where there is no package before it, or no function behind it."""
    if "::" not in (str(place.before), str(place.found)) and place.text[place.found.start_pos or 0 :][:2] != "::":
        return None
    return place.error("`::` can't stand here", "it joins a package and its function: splines::bs(x, df = 4)")


def _bar(place: Place) -> FormulaError | None:
    """Tell a bar with nothing on one of its sides."""
    match place.before, place.found:
        case Token(type="OPEN"), Token(type="OR"):
            return place.error("nothing stands before the bar", "for an intercept that varies: (1 | g)")
        case Token(type="OR"), Token(type="CLOSE" | "$END" | "_END"):
            return place.error("no grouping factor stands behind the bar", "as in (1 | g)", before=True)
    return None


def _end(place: Place) -> FormulaError | None:
    """Tell a statement that ends too early."""
    if place.found.type not in ENDS:
        return None
    if place.before is not None and place.before.type in OPERATORS:
        return place.error(f"nothing stands behind `{place.before}`", before=True)
    if not place.separated:
        what, hint = ("the formula has no `~`", EXAMPLE) if place.first else ("no `~` in this line", PRIOR_EXAMPLE)
        return place.error(what, hint, before=True)
    return place.error("the text ends too early")


def _wrapped(place: Place) -> FormulaError | None:
    """Tell a formula inside a call, `bf(y ~ x)`, and arguments behind it."""
    name = str(place.opening)
    if place.found.type == "TILDE" and not place.separated and name in WRAPPERS:
        hint = f"as in y ~ x + (x | group){WRAPPERS[name]}"
        return place.error(f"a formula is written without {name}()", hint)
    behind = re.match(r",\s*([\w.]+)\s*=", place.text[place.found.start_pos or 0 :])
    if place.found.type == "COMMA" and behind:
        return place.error("the formula ends here", _no_part(behind[1]))
    return None


def _no_part(argument: str) -> str:
    if argument in ARGUMENTS:
        return f"{argument}= is no part of it: {ARGUMENTS[argument]}"
    return f"{argument}= is no part of it, but may be an argument of Model()"


def _prior(place: Place) -> FormulaError | None:
    """Tell a prior statement without a parameter, or without its `~`."""
    found, before = place.found, place.before
    if place.separated or (before is not None and before.type not in ("_END", "NAME")):
        return None
    behind = DISTRIBUTION.match(place.text, found.start_pos or 0)
    if found.type == "TILDE" and behind and (before is None or before.type == "_END"):
        return place.error("no parameter stands before `~`", f"say what has this prior, as in b {behind[0]}...)")
    if before is not None and before.type == "NAME" and found.type == "OPEN":
        return place.error("a prior begins with the name of a parameter", PRIOR_EXAMPLE, before=True)
    if before is not None and before.type == "NAME" and found.type == "NAME" and behind:
        return place.error(f"no `~` between `{before}` and `{found}`", f"did you mean {before} ~ {found}?")
    return None


def _equals(place: Place) -> FormulaError | None:
    """Tell a lone `=`, or a second `~`."""
    match place.found.type:
        case "EQUAL" if place.separated:
            return place.error("`=` can't stand here", "to compare, type `==`, inside I(): I(x == 1)")
        case "EQUAL":
            return place.error("`=` can't stand here", "did you mean `~`?")
        case "TILDE" if place.separated and (call := NLME.search(place.text[: place.found.start_pos])):
            hint = "random effects are (x | g), uncorrelated ones (x || g); correlated residuals are not supported yet"
            return place.error(f"`{call[1]}()` belongs to nlme", hint)
        case "TILDE" if place.separated:
            between = "the response and the terms" if place.first else "a parameter and its distribution"
            return place.error("a second `~`", f"one stands between {between}")
    return None


def _operator(place: Place) -> FormulaError | None:
    """Tell an operator with nothing on one of its sides."""
    found, before = place.found, place.before
    if found.type == "NOT" and before is not None and before.type in OPERATORS:
        return place.error("`!` can't stand here", "put it in brackets: (!x)")
    if found.type == "COMPARE" and before is not None and before.type in OPERANDS | {"CLOSE"}:
        return place.error("comparisons can't be chained", "join two of them by &: a < b & b < c")
    if found.type in OPERATORS and (before is None or before.type in ENDS):
        return place.error(f"nothing stands before `{found}`", EXAMPLE)
    if found.type in OPERATORS and before is not None and before.type in OPERATORS | {"OPEN", "COMMA"}:
        return place.error(f"nothing stands between `{before}` and `{found}`")
    if found.type in ("CLOSE", "COMMA", "RSQB") and before is not None and before.type in OPERATORS:
        return place.error(f"nothing stands between `{before}` and `{found}`", before=True)
    return None


def _missing_operator(place: Place) -> FormulaError | None:
    """Tell two operands with nothing between them."""
    found, before = place.found, place.before
    if before is None or before.type not in OPERANDS | {"CLOSE", "RSQB"} or found.type not in OPERANDS | {"OPEN"}:
        return None
    if before.type == "CLOSE" or found.type == "OPEN":
        return place.error(f"no operator between `{before}` and `{found}`", "did you mean `+`?")
    left, right = printable(str(before)), printable(str(found))
    hint = f"did you mean {left} + {right}?" if found.type != "NUMBER" else ""
    if before.type == "NUMBER":
        hint = f"did you mean I({left} * {right})?"
    return place.error(f"no operator between `{left}` and `{right}`", hint)


def _bracket(place: Place) -> FormulaError | None:  # noqa: PLR0911 (a table)
    """Tell brackets and commas out of place."""
    match place.found.type, place.before:
        case "CLOSE", Token(type="OPEN"):
            return place.error("nothing stands between the brackets")
        case "CLOSE" | "COMMA", Token(type="EQUAL"):
            return place.error("no value stands behind `=`", before=True)
        case "LSQB", _:
            return place.error("`[` can't stand here", UNUSABLE["["] if place.first else PRIOR_EXAMPLE)
        case "COMMA", Token(type="OPEN" | "COMMA"):
            return place.error("an argument is missing before the comma")
        case "CLOSE", Token(type="COMMA"):
            return place.error("an argument is missing after the comma")
        case "COMMA", _:
            return place.error("`,` can't stand here", "it separates the arguments of a call; terms are joined by `+`")
    return None
