"""Dates, times and durations as levels: the text of each depends on itself alone, and tells its place in time."""

import datetime as dt
from typing import Any

import numpy as np

DATES = (dt.date, dt.time, dt.timedelta, np.datetime64, np.timedelta64)

PRECISIONS = ("D", "s", "ms", "us", "ns", "ps", "fs")
"""Units of dates and durations, the coarsest first: the first that is exact is written."""

WORDS = {str(np.array(1, f"m8[{unit}]")).removeprefix("1 "): unit for unit in PRECISIONS}
"""What numpy calls them."""


def date_label(value: object) -> str:
    """
    Write a date, a time or a duration: midnight as its day, and no more digits than there are; with a zone, in UTC.

    >>> date_label(np.datetime64("2014-01-15T00:00")), date_label(dt.datetime(2014, 1, 15, 12, 0, 0, 500_000))
    ('2014-01-15', '2014-01-15 12:00:00.500')
    >>> date_label(dt.timedelta(days=2)), date_label(dt.time(8, 30))
    ('2 days', '08:30:00')
    """
    number = _of_numpy(value)
    if number is None:
        return str(value)
    kind = number.dtype.kind
    exact = next((found for unit in PRECISIONS if (found := number.astype(f"{kind}8[{unit}]")) == number), number)
    return str(exact).replace("T", " ")


def _of_numpy(value: object) -> Any:  # noqa: ANN401 (a datetime64 or timedelta64; their types differ by release)
    """Return numpy's word for a date or a duration; None for what numpy does not have."""
    match value:
        case np.datetime64() | np.timedelta64():
            return value
        case dt.datetime(tzinfo=zone):
            local = value if zone is None else value.astimezone(dt.UTC).replace(tzinfo=None)
            # pandas' own have nanoseconds, which numpy would not ask for
            return getattr(local, "to_datetime64", lambda: np.datetime64(local))()
        case dt.date():
            return np.datetime64(value)
        case dt.timedelta():
            return getattr(value, "to_timedelta64", lambda: np.array(value, "m8[us]")[()])()
        case _:
            return None


def date_key(label: str) -> tuple[Any, str]:
    """
    Return what puts the labels of a column into the order of time.

    >>> sorted(["3 days", "3600 seconds", "-1 days"], key=date_key)
    ['-1 days', '3600 seconds', '3 days']
    """
    count, _, word = label.partition(" ")
    try:
        return (np.array(int(count), f"m8[{WORDS[word]}]")[()] if word in WORDS else np.datetime64(label)), label
    except ValueError:  # the time of a day
        return 0, label
