"""What each way to integrate effects out fills of a marginal program."""

from dataclasses import dataclass, fields

from lmmformula.stan.text.pieces import filled


@dataclass(frozen=True, slots=True)
class Elimination:
    """
    The algebra of effects that are integrated out.

    setup : of `model` and `generated quantities`: what both need, from Zr, Z' * r of each level
    density : takes from rr, r' * r, what the effects explain, and adds the determinant
    draw : of the effects, given everything else
    """

    legend: str
    setup: str
    density: str
    draw: str
    functions: str = ""
    transformed_data: str = ""

    def filled(self, **names: str) -> "Elimination":
        """Put texts in the places of names."""
        return Elimination(**{part.name: filled(getattr(self, part.name), **names) for part in fields(self)})
