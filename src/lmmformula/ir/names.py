r"""Names and texts as R writes them: in backticks or quotes, with escapes, where they need it."""

from lmmformula.errors import printable

RESERVED = frozenset(
    [
        *("if", "else", "repeat", "while", "function", "for", "next", "break", "in", "TRUE", "FALSE", "NULL"),
        *("Inf", "NaN", "NA", "NA_integer_", "NA_real_", "NA_character_", "NA_complex_", "...", "pi", "."),
    ],
)
"""Words that are a column's name only inside backticks: R's reserved ones, and those that mean something here."""


def quote(text: str, mark: str) -> str:
    r"""
    Put quotes or backticks around a text, escaping what would end it or disturb a terminal.

    >>> print(quote('a"b\n', '"'))
    "a\"b\n"
    """
    return mark + printable(text.replace("\\", "\\\\").replace(mark, "\\" + mark)) + mark


def is_syntactic(name: str) -> bool:
    """
    Tell whether R writes a name without backticks.

    >>> [is_syntactic(name) for name in ("x.1", "naïve", "my var", "_u", "if")]
    [True, True, False, False, False]
    """
    first, second = name[:1], name[1:2]
    begins = (first.isidentifier() and first != "_") or (first == "." and not second.isdigit())
    return begins and name not in RESERVED and f"_{name.replace('.', '_')}".isidentifier()


def backticked(name: str) -> str:
    """
    Write a name as R does, in backticks where it needs them.

    >>> backticked("x"), backticked("my var")
    ('x', '`my var`')
    """
    return name if is_syntactic(name) else quote(name, "`")
