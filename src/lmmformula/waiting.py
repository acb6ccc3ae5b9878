"""A line on the terminal that says what takes long, and is gone when it is done."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

PATIENCE = 2.0
"""Seconds before anything is said."""

BEAT = 1.0
"""Seconds between two looks at the clock."""

_CLEAR = "\r\x1b[2K"


@contextmanager
def waiting(what: str, total: int = 0) -> Iterator[Callable[[int], None]]:
    """
    Say what is computed if that takes longer than two seconds, on a terminal only; yield what counts the steps done.

    total : number of steps, 0 where there are none to count
    """
    done = [0]

    def count(steps: int) -> None:
        done[0] = steps

    if sys.stderr is None or not sys.stderr.isatty():
        yield count
        return
    over, begin = Event(), time.monotonic()

    def tell() -> None:
        said = ""
        pause = PATIENCE
        while not over.wait(pause):
            steps = f": {done[0]} of {total}" if total else ""
            said = f"{_CLEAR}{what}{steps} ({time.monotonic() - begin:.0f} s)"
            sys.stderr.write(said)
            sys.stderr.flush()
            pause = BEAT
        if said:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()

    teller = Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield count
    finally:
        over.set()
        teller.join()
