"""What is left of a run that an interrupt has ended early."""

from collections.abc import Sequence

from lmmformula.errors import warn

FEWEST = 10
"""Draws of a chain below which nothing can be said."""


def usable_chains(counts: Sequence[int]) -> tuple[list[int], int]:
    """
    Choose the chains, and their common number of draws, that together keep most of what was drawn.

    counts : draws that each chain has
    Returns positions of chains, and draws of each; no chains where there are too few draws.

    >>> usable_chains([1000, 990, 200, 0])
    ([0, 1], 990)
    """
    order = sorted(range(len(counts)), key=lambda chain: -counts[chain])
    sizes = [(n + 1) * counts[chain] for n, chain in enumerate(order)]
    best = max(range(len(sizes)), key=lambda n: (sizes[n], n))
    draws = counts[order[best]]
    return (sorted(order[: best + 1]), draws) if draws >= FEWEST else ([], 0)


def warn_of_interrupt(chains: Sequence[int], draws: int, wanted: tuple[int, int]) -> None:
    """
    Tell that a run has fewer draws than were wanted.

    wanted : chains and draws of each that were asked for
    """
    count, each = wanted
    warn(f"interrupted: {len(chains)} of {count} chains with {draws} of {each} draws each are what there is")
