"""What went wrong where a text doesn't parse, and what its writer may have meant."""

from typing import TYPE_CHECKING

from lmmformula.errors import FormulaError, Span, printable

if TYPE_CHECKING:
    from lark.exceptions import UnexpectedInput


def explain(error: "UnexpectedInput", text: str) -> FormulaError:
    """Turn the parser's error into ours."""
    start = error.pos_in_stream if error.pos_in_stream is not None else len(text)
    return FormulaError(f"unexpected `{printable(text[start : start + 1])}`", text=text, span=Span(start, start + 1))
