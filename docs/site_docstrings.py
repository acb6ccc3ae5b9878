"""How the docstrings of the package, which are plain text, are shown as Markdown."""  # noqa: INP001 (as site_hooks)

import re
from typing import Any

import griffe

ITEM = re.compile(r"(?P<names>\*{0,2}\w+(?:, \*{0,2}\w+)*) : (?P<text>.*)", flags=re.DOTALL)
NEXT_ITEM = re.compile(r"\n(?! )")


def paragraph(text: str) -> str:
    r"""
    Return one paragraph as Markdown: `name : text` lines become a list.

    >>> paragraph("x : a number\n    or two\ny : another")
    '- `x`: a number or two\n- `y`: another'
    """
    items = [ITEM.fullmatch(item) for item in NEXT_ITEM.split(text)]
    if not all(items):
        return text
    return "\n".join(f"- `{item['names']}`: {' '.join(item['text'].split())}" for item in items if item)


def markdown(docstring: str) -> str:
    r"""
    Return a docstring as Markdown, the session at its end as a section of examples.

    >>> markdown("Double x.\n\n>>> double(2)\n4")
    'Double x.\n\nExamples\n--------\n>>> double(2)\n4'
    """
    text, session, examples = docstring.partition("\n\n>>> ")
    shown = "\n\n".join(paragraph(part.strip("\n")) for part in text.split("\n\n"))
    return f"{shown}\n\nExamples\n--------\n>>> {examples}" if session else shown


class Markdown(griffe.Extension):
    """Rewrites each docstring when griffe has read it."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:  # noqa: ANN401 (griffe's objects)
        """Rewrite the docstring of a class, function or attribute."""
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)
