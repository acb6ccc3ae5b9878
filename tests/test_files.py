"""Files are written whole or not at all, whatever writes them."""

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from functools import cache, partial
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fits
import lmmformula as lf
from corpus import dataset
from lmmformula.cli.run import main
from lmmformula.design.sums.added import PartialProducts
from lmmformula.files import as_text, read_text, write_files, write_text
from lmmformula.repl.session import Session

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="links, pipes and limits are those of POSIX systems"),
    pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning"),
]
OLD = "what was there"


@contextmanager
def full_disk(most: int = 100) -> Iterator[None]:
    """Let files grow to so many bytes, and no further."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@cache
def posterior() -> lf.Posterior:
    """Return a few draws."""
    model = fits.model_of("lmm-003r")
    return model.sample(seed=1, draws=20, warmup=50, chains=1, progress=False)


def in_session(command: str, path: Path) -> None:
    """Carry out a command of the session on a fit, and raise what it says of its failure."""
    session = Session()
    for line in (":data Dyestuff", "Yield ~ 1 + (1 | Batch)", ":fit"):
        assert not session.run(line).failed
    reply = session.run(f"{command} {path}")
    if reply.failed:
        raise lf.FitError(str(reply))


def on_command_line(path: Path) -> None:
    """Write a table by the command line."""
    with redirect_stderr(StringIO()) as said:
        failed = main(["fit", "Yield ~ 1 + (1 | Batch)", "--data", "Dyestuff", "--output", str(path)])
    if failed:
        raise lf.FitError(said.getvalue())


SAVERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "fit": ("a.json", lambda path: fits.fit_of("lmm-003r").save(path)),
    "posterior": ("a.nc", lambda path: posterior().save(path)),
    "program": ("a.stan", lambda path: fits.model_of("lmm-003r").stan().write(path)),
    "sums": ("a.npz", lambda path: PartialProducts(2, np.eye(2), (), {}, 0.0).save(path)),
    "script": ("a.py", partial(in_session, ":save")),
    "estimates": ("a.csv", partial(in_session, ":save")),
    "picture": ("a.png", partial(in_session, ":plot residuals")),
    "table": ("table.csv", on_command_line),
}


@pytest.mark.parametrize("kind", SAVERS)
def test_a_full_disk_leaves_the_old_file(kind: str, tmp_path: Path) -> None:
    """The error is ours, and nothing half written stays beside it."""
    name, save = SAVERS[kind]
    (tmp_path / name).write_text(OLD)
    with full_disk(), pytest.raises(lf.FitError, match="can't write"):
        save(tmp_path / name)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {name: OLD}


@pytest.mark.parametrize("kind", SAVERS)
def test_a_link_stays_and_the_file_behind_it_is_replaced(kind: str, tmp_path: Path) -> None:
    """Which keeps its permissions; files of the names that a program might use meanwhile are left alone."""
    name, save = SAVERS[kind]
    (tmp_path / "real").mkdir()
    behind = tmp_path / "real" / "file"
    behind.write_text(OLD)
    behind.chmod(0o640)
    (tmp_path / name).symlink_to("real/file")
    others = [tmp_path / f"{name}{end}" for end in (".part", ".tmp", ".new", "~")]
    for other in others:
        other.write_text(OLD)
    save(tmp_path / name)
    assert (tmp_path / name).readlink() == Path("real/file")
    assert behind.read_bytes() != OLD.encode()
    assert stat.S_IMODE(behind.stat().st_mode) == 0o640
    assert [file.name for file in behind.parent.iterdir()] == ["file"]
    assert {other.read_text() for other in others} == {OLD}


@pytest.mark.parametrize("kind", SAVERS)
@pytest.mark.parametrize("bad", ["nul\0{}", "no folder/{}", "{}", "circle/{}", "x" * 300 + "{}"])
def test_names_that_can_not_be_written_are_said(kind: str, bad: str, tmp_path: Path) -> None:
    """A null character, no folder, a folder of that name, a circle of links, too long a name: our error."""
    name, save = SAVERS[kind]
    (tmp_path / "circle").symlink_to("circle")
    if bad == "{}":
        (tmp_path / name).mkdir()
    before = {file.name for file in tmp_path.iterdir()}
    with pytest.raises(lf.LmmFormulaError, match="can't write"):
        save(tmp_path / bad.format(name))
    assert {file.name for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize("kind", SAVERS)
def test_a_pipe_is_written_to(kind: str, tmp_path: Path) -> None:
    """What is read from it is what a file would hold, and it is still a pipe."""
    name, save = SAVERS[kind]
    os.mkfifo(tmp_path / name)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / name).read_bytes()), daemon=True)
    reader.start()
    save(tmp_path / name)
    reader.join()
    assert len(got[0]) > 20
    assert stat.S_ISFIFO((tmp_path / name).stat().st_mode)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_devices_are_written_to() -> None:
    """A full one says so; the null device takes everything, and stays what it is."""
    with pytest.raises(lf.FitError, match="can't write /dev/full: No space left"):
        write_text("/dev/full", "x")
    write_text(os.devnull, "x")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="a folder of Linux")
def test_what_a_process_has_opened_is_written_to(tmp_path: Path) -> None:
    """Standard output that goes to a file is that file still."""
    code = "import os, lmmformula.files as f; f.write_text('/dev/stdout', 'one'); os.write(1, b' two')"
    with (tmp_path / "out").open("a") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "one two"


def test_a_kill_leaves_the_old_file(tmp_path: Path) -> None:
    """In the middle of writing."""
    (tmp_path / "a").write_text(OLD)
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom lmmformula.files import write_files\n"
        "def write(stream):\n    stream.write(b'new' * 100_000)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_files({Path(sys.argv[1]): write})"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "a").read_text() == OLD


def test_an_interrupted_save_leaves_nothing(tmp_path: Path) -> None:
    """Control-C is passed on, the old file stays, and no other does."""
    (tmp_path / "a").write_text(OLD)

    def interrupted(stream: Any) -> None:
        stream.write(b"new")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_files({tmp_path / "a": interrupted})
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"a": OLD}


def test_files_that_belong_together_are_replaced_together(tmp_path: Path) -> None:
    """When the last of them fails, the first is still the old one."""
    (tmp_path / "a").write_text(OLD)
    with pytest.raises(lf.FitError, match="can't write"):
        write_files({tmp_path / "a": as_text("new"), tmp_path / "no" / "b": as_text("new")})
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"a": OLD}


def test_readers_and_savers_at_once_see_whole_files(tmp_path: Path) -> None:
    """Four savers of one file, and a reader who finds what one of them wrote, and all of it."""
    path, done = tmp_path / "a", threading.Event()
    texts = {letter * 100_000 for letter in "abcd"}
    write_text(path, min(texts))
    savers = [threading.Thread(target=lambda t=text: [write_text(path, t) for _ in range(20)]) for text in texts]
    seen: set[str] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(read_text(path))

    reader = threading.Thread(target=read)
    for thread in (reader, *savers):
        thread.start()
    for thread in savers:
        thread.join()
    done.set()
    reader.join()
    assert seen
    assert seen <= texts
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_a_new_file_has_the_permissions_that_new_files_have(tmp_path: Path) -> None:
    """Those that the mask of the process leaves; also behind a link that led nowhere."""
    (tmp_path / "link").symlink_to("a")
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "link", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert (tmp_path / "link").is_symlink()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path: Path) -> None:
    """Though its folder would allow it."""
    (tmp_path / "a").write_text(OLD)
    (tmp_path / "a").chmod(0o444)
    with pytest.raises(lf.FitError, match="Permission denied"):
        write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == OLD


def test_what_can_not_be_read_is_said(tmp_path: Path) -> None:
    """No file, a folder, bytes that are no text, a name with a null character."""
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name in ("absent", "", "bytes", "nul\0"):
        with pytest.raises(lf.FitError, match="can't read"):
            read_text(tmp_path / name)
        with pytest.raises(lf.FitError, match="can't read"):
            lf.load(tmp_path / name)


def test_a_checkpoint_on_a_full_disk_goes_on_later(tmp_path: Path) -> None:
    """The first pass was kept, and is not made again; the sums of a disk that is full are our error."""
    data = dataset("sleepstudy")
    parts = [data.iloc[i : i + 30] for i in range(0, 180, 30)]
    model = partial(lf.Model, "Reaction ~ Days + (Days | Subject)", parts, progress=False)
    with full_disk(), pytest.raises(lf.FitError, match="can't write"):
        model(checkpoint=tmp_path)
    assert list(tmp_path.iterdir()) == []
    whole = model().fit()
    np.testing.assert_array_equal(model(checkpoint=tmp_path).fit().theta, whole.theta)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with full_disk():
        np.testing.assert_array_equal(model(checkpoint=tmp_path).fit().theta, whole.theta)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
