"""A data frame that prints all its columns; imported where pandas already is."""

import pandas as pd

from lmmformula.errors import legible
from lmmformula.results.tables.screen import rounded, screen_width


class Shown(pd.DataFrame):
    """A pandas data frame whose print leaves no column out; those that the screen has no room for stand below."""

    def __repr__(self) -> str:
        return legible(
            self.to_string(line_width=screen_width(), max_rows=pd.get_option("display.max_rows"), float_format=rounded)
        )
