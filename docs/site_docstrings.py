"""How the docstrings of the package, which are plain text, are shown as Markdown."""  # noqa: INP001 (as site_hooks)

import re
from typing import Any

import griffe

ITEM = re.compile(r"(?P<names>\*{0,2}\w+(?:, \*{0,2}\w+)*) : (?P<text>.*)", flags=re.DOTALL)
NEXT_ITEM = re.compile(r"\n(?! )")
OPTION = re.compile(r"[ ]*# doctest: [+\w, ]+$", flags=re.MULTILINE)


def paragraph(text: str) -> str:
    r"""
    Return one paragraph as Markdown: a session as code, `name : text` lines as a list.

    >>> paragraph("x : a number\n    or two\ny : another")
    '- `x`: a number or two\n- `y`: another'
    """
    if text.startswith(">>>"):
        return f"```pycon\n{OPTION.sub('', text)}\n```"
    items = [ITEM.fullmatch(item) for item in NEXT_ITEM.split(text)]
    if not all(items):
        return text
    return "\n".join(f"- `{item['names']}`: {' '.join(item['text'].split())}" for item in items if item)


class Markdown(griffe.Extension):
    """Rewrites each docstring when griffe has read it."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:  # noqa: ANN401 (griffe's objects)
        """Rewrite the docstring of a class, function or attribute."""
        if obj.docstring:
            paragraphs = obj.docstring.value.split("\n\n")
            obj.docstring.value = "\n\n".join(paragraph(text.strip("\n")) for text in paragraphs)
