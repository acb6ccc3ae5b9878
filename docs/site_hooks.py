"""What the site shows differently from the pages' text."""  # noqa: INP001 (a script of the site's builder)

import re
from typing import Any

OPTION = re.compile(r"[ ]*# doctest: [+\w, ]+$", flags=re.MULTILINE)
MARKED_FENCE = re.compile(r"^(```\w+) \w+$", flags=re.MULTILINE)
CELL = re.compile(r"<td[^>]*>.*?</td>", flags=re.DOTALL)


def on_page_markdown(markdown: str, **_: Any) -> str:  # noqa: ANN401 (the builder's objects)
    """Leave out what is meant for the tests: options of doctest, and words behind the language of a block."""
    return MARKED_FENCE.sub(r"\1", OPTION.sub("", markdown))


def on_page_content(html: str, **_: Any) -> str:  # noqa: ANN401 (as above)
    r"""Write `\|` in the code of a table as `|`, as other readers of Markdown do; the pages are read by those, too."""
    return CELL.sub(lambda cell: cell[0].replace(r"\|", "|"), html)
