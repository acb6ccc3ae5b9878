"""
What a Stan program says of a distribution of the response.

Texts are templates: `$X`, `$eta`, `$sigma` and `$trials` stand for what the program has of all rows, or of one;
`$cutpoint` for the name of the cutpoints and `$K` for how many categories there are. Everything else is Stan.
"""

from dataclasses import dataclass

COUNT = "array[N] int<lower=0> y;"
POSITIVE = "vector<lower=0>[N] y;"

Prior = tuple[str, tuple[float, ...]]
"""A distribution and its numbers."""


@dataclass(frozen=True, slots=True)
class StanWords:
    """
    A distribution of the response around its linear predictor, in the words of Stan.

    y : its declaration in the data block
    distribution : name and arguments
    maths : the distribution in the program's header
    glm : the distribution by a function that multiplies X by b itself, "" where there is none
    integer : whether the response is whole numbers
    trials : whether there are trials beside it
    draw : a draw of the response, where the distribution's own can't give one of every eta
    draw_function : function of the program that draws need
    row_function : log density of one row, where Stan has no such distribution
    rows : then, the log density of all rows, each form that it has for all its rows at once
    order : what that needs of the data: rows of one form side by side
    rows_function : and the function that it needs
    note : comment above the likelihood
    """

    y: str
    distribution: str
    maths: str
    glm: str = ""
    integer: bool = False
    trials: bool = False
    draw: str = ""
    draw_function: str = ""
    row_function: str = ""
    rows: str = ""
    order: str = ""
    rows_function: str = ""
    note: str = ""

    @property
    def row_density(self) -> str:
        """The log density of a row."""
        name, _, arguments = self.distribution.partition("(")
        return f"{name}_{'lpmf' if self.integer else 'lpdf'}(y[n] | {arguments}"

    @property
    def row_draw(self) -> str:
        """A draw of a row's response."""
        name, _, arguments = self.distribution.partition("(")
        return self.draw or f"{name}_rng({arguments}"
