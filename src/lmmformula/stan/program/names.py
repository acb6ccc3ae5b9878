"""Names of data columns and grouping factors -> identifiers that Stan accepts."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain, count

LONGEST = 40
"""Characters kept of a name; Stan sets no limit, but a reader and an 80-character line do."""


def ascii_word(name: str) -> str:
    """
    Keep of a name what may stand in an identifier behind a prefix; "" where nothing is left.

    >>> ascii_word("batch:cask"), ascii_word("Größe (cm)"), ascii_word("温度")
    ('batch_cask', 'Groe_cm', '')
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:LONGEST].strip("_")


def suffixes(names: Iterable[str]) -> tuple[str, ...]:
    """
    Give each name a suffix of its own: what is left of it in ASCII, or its number; a number is added to repeats.

    A suffix always stands behind a prefix and an underscore (`sd_group`), so none can be a reserved word, and
    repeats are told apart without regard to case, so that no two files or tables made from them collide.

    >>> suffixes(["g", "G", "温度", "y.1", "y_1"])
    ('g', 'G_2', '3', 'y_1', 'y_1_5')
    """
    taken: set[str] = set()
    result = []
    for number, name in enumerate(names, start=1):
        word = ascii_word(name) or str(number)
        while word.lower() in taken:
            word = f"{word}_{number}"
        taken.add(word.lower())
        result.append(word)
    return tuple(result)


@dataclass(slots=True)
class Identifiers:
    """
    Hand out identifiers that are put together from several names, never the same one twice.

    Those of a factor need no such list: the prefix before their first underscore has none itself and no other
    identifier of a program begins with it, so that prefix and suffix can be told apart.

    taken : identifiers that are in use
    """

    taken: set[str] = field(default_factory=set)

    def new(self, wanted: str) -> str:
        """
        Return the identifier that is wanted, with a number while it is taken.

        >>> names = Identifiers()
        >>> names.new("prior_sd_a_1_scale"), names.new("prior_sd_a_1_scale")
        ('prior_sd_a_1_scale', 'prior_sd_a_1_scale_2')
        """
        numbered = (f"{wanted}_{number}" for number in count(2))
        name = next(name for name in chain([wanted], numbered) if name not in self.taken)
        self.taken.add(name)
        return name
