"""What the site shows differently from the pages' text."""  # noqa: INP001 (a script of the site's builder)

import re
from typing import Any

OPTION = re.compile(r"[ ]*# doctest: [+\w, ]+$", flags=re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:  # noqa: ANN401 (the builder's objects)
    """Leave out the options of doctest, which are meant for the tests."""
    return OPTION.sub("", markdown)
