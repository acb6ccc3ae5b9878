"""Fits and posteriors from files."""

from pathlib import Path

from lmmformula.api.fits import GeneralizedMixedFit, LinearMixedFit
from lmmformula.api.posterior import Posterior
from lmmformula.errors import FitError
from lmmformula.files import path_of, read_text
from lmmformula.fit.glmm import GlmmFit
from lmmformula.newcomers import answering
from lmmformula.results.files.fits import absent_columns, from_json
from lmmformula.results.files.posteriors import load_posterior
from lmmformula.results.netcdf import MAGIC, MAGIC_OF_NETCDF4


@answering
def load(path: str | Path) -> LinearMixedFit | GeneralizedMixedFit | Posterior:
    """
    Read what `save` wrote: a fit (JSON), or a posterior (netCDF).

    Both predict new rows. What needs the rows of the data says so, unless `posterior.save(path, data=True)` saved them.

    >>> import lmmformula as lf
    >>> from tempfile import TemporaryDirectory
    >>> fit = lf.Model("Yield ~ 1 + (1 | Batch)", lf.datasets.load("Dyestuff")).fit()
    >>> with TemporaryDirectory() as folder:
    ...     fit.save(f"{folder}/dyestuff.json")
    ...     again = lf.load(f"{folder}/dyestuff.json")
    >>> again.predict({"Batch": ["A", "F"]}).round(1).tolist()
    [1509.9, 1482.5]
    """
    start = _start(path_of(path))
    if start.startswith(MAGIC_OF_NETCDF4):
        raise FitError(f"{path} holds no posterior that lmmformula has saved", hint="ArviZ reads its own files")
    if not start.startswith(MAGIC):
        ir, schema, design, fit, name = from_json(read_text(path), str(path))
        absent = absent_columns(ir, design)
        if isinstance(fit, GlmmFit):
            return GeneralizedMixedFit(ir, schema, design, fit, absent, name)
        return LinearMixedFit(ir, schema, design, fit, absent, name)
    return Posterior(**load_posterior(path))


def _start(path: Path) -> bytes:
    """Return the first bytes of a file; what is wrong with it the reader of fits will say."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC_OF_NETCDF4))
    except (OSError, ValueError):
        return b""
