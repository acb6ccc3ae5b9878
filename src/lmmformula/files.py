"""
Files that are written whole or not at all: all that this package writes for users is written here.

What is written stands beside its place, under a name of its own, until it is complete and on the disk; then it takes
the place of what was there. A full disk, an error or a kill leaves the old file as it was, and whoever reads meanwhile
finds the old file or the new one.
"""

import errno
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, cast

import numpy as np

from lmmformula.arrays import AnyArray
from lmmformula.errors import FitError, printable

PathLike = str | os.PathLike[str]
Write = Callable[[IO[bytes]], object]
"""Writes the content of a file to a stream, which can seek."""

DESCRIPTORS = "/proc/"
"""Where links stand for what a process has opened: such a file is written to, not replaced."""


def path_of(path: object) -> Path:
    """Return a path, or say that it is none."""
    if not isinstance(path, str | os.PathLike):
        raise FitError(f"a file is named by text or a path, not by {path!r:.60}")
    return Path(cast("PathLike", path))


def as_text(text: str) -> Write:
    """Return what writes a text."""
    return lambda stream: stream.write(text.encode("utf-8"))


def as_arrays(**arrays: AnyArray) -> Write:
    """Return what writes arrays as numpy's .npz."""
    return lambda stream: np.savez(stream, **arrays)  # type: ignore[arg-type]


def write_text(path: PathLike, text: str) -> None:
    """Write a file of text; see `write_files`."""
    write_files({path_of(path): as_text(text)})


def write_files(contents: Mapping[Path, Write]) -> None:
    """
    Write files that belong together: all are complete before the first takes its place, in their order.

    The file behind a link is replaced, and the link stays. Pipes and devices are written to.

    Raises
    ------
    FitError
        One can't be written; what was there stays.
    """
    with ExitStack() as stack:
        put = []
        for path, write in contents.items():
            with _said(path):
                put.append((path, stack.enter_context(_complete(path, write))))
        for path, into_place in put:
            with _said(path):
                into_place()


def read_text(path: PathLike) -> str:
    """Read a file, or say why that fails."""
    with _said(path, "read"):
        return path_of(path).read_text(encoding="utf-8")


@contextmanager
def _said(path: PathLike, verb: str = "write") -> Iterator[None]:
    """Say of a file that something fails; a name with a null character is a ValueError, as is a text without UTF-8."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FitError(f"can't {verb} {printable(str(path))}: {reason}") from None


@contextmanager
def _complete(path: Path, write: Write) -> Iterator[Callable[[], object]]:
    """Write all that a file is to hold; yield what puts it into its place, without which nothing stays."""
    target = _target(path)
    if target is None:
        with tempfile.TemporaryFile() as spool:
            write(spool)
            yield lambda: _pour(spool, path)
        return
    new = target.with_name(f".lmmformula-{secrets.token_hex(8)}")
    stream = new.open("xb")  # made here, whatever links there are
    try:
        with stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        _like(target, new)
        yield lambda: _replace(new, target)
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)


def _target(path: Path) -> Path | None:
    """Return the file to replace, behind all links; None for what is written to: pipes, devices, descriptors."""
    with suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if not stat.S_ISREG(mode):
            return None
    while True:  # what is a circle has no mode
        path = Path(os.path.realpath(path.parent), path.name)
        if str(path).startswith(DESCRIPTORS):
            return None
        if not path.is_symlink():
            return path
        path = path.parent / path.readlink()


def _like(old: Path, new: Path) -> None:
    """Give a new file the permissions of the old one, and its owner where that is allowed."""
    with suppress(FileNotFoundError):
        found = old.stat()
        with suppress(OSError, AttributeError):
            os.chown(new, found.st_uid, found.st_gid)
        new.chmod(stat.S_IMODE(found.st_mode))


def _replace(new: Path, target: Path) -> None:
    """Put a complete file into its place, and the change of its folder on the disk."""
    new.replace(target)
    with suppress(OSError):
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _pour(spool: IO[bytes], path: Path) -> None:
    """Write all of a file to a pipe or a device."""
    spool.seek(0)
    with path.open("wb") as out:
        shutil.copyfileobj(spool, out)
