"""A power curve as a user holds it: the numbers of `inference`, with a picture."""

from dataclasses import dataclass, fields
from typing import Any, Self

from lmmformula.inference.refits import power


@dataclass(frozen=True, eq=False, repr=False)
class PowerCurve(power.PowerCurve):
    """
    Power for designs of several sizes.

    `print(curve)` shows them; `frame` is a data frame with intervals, `plot()` a picture.
    """

    @classmethod
    def of(cls, found: power.PowerCurve) -> Self:
        """Hold what was simulated."""
        return cls(**{own.name: getattr(found, own.name) for own in fields(found)})

    def plot(self, **options: Any) -> Any:  # noqa: ANN401 (matplotlib's Axes)
        """
        Draw power over the number of levels, with 95 % intervals; needs matplotlib (`pip install 'lmmformula[plot]'`).

        options : `target`, the power at which a line stands (0.8; None for no line), `figsize`, and `ax` to draw on
        """
        from lmmformula.present.pictures.table import power_plot

        return power_plot(self, **options)
