"""Text that shows itself as it is, at a prompt and in a notebook."""

from html import escape


class Text(str):
    """A string whose `repr` is the string: `fit.summary()` at a prompt shows the summary, not its escapes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self)}</pre>"
