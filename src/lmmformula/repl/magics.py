"""
IPython and Jupyter: `%load_ext lmmformula`, then `%lmm FORMULA`, `%lmm :COMMAND`, or `%%lmm DATA` above a cell.

A line fits a formula to the data frame that has its columns. A cell holds a formula and, if you like, priors; it is
fitted without priors and sampled with them. Both take `--family binomial(probit)`,
`--weights COLUMN` and `--loglik-weights COLUMN`.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lmmformula.api.input.parsing import parse
from lmmformula.errors import DataError, FormulaError, LmmFormulaError, printable
from lmmformula.ir.family import GAUSSIAN
from lmmformula.ir.model import ModelIR
from lmmformula.present.text import Text
from lmmformula.repl.commands import Quit
from lmmformula.repl.doing import changing
from lmmformula.repl.doing.families import chosen_family, is_fitted
from lmmformula.repl.doing.fitting import fit_again, fit_of
from lmmformula.repl.session import Reply, Session
from lmmformula.repl.state import Data, data_of

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

FRAMES = frozenset(("pandas", "polars", "pyarrow", "modin", "cudf"))
"""Libraries whose data frames are found by themselves."""

OPTION = re.compile(r"(?:^|\s)--(family|weights|loglik-weights)(?:=|\s+)(\S+)")
"""An option of a line."""

ACTIONS = ("fit", "ml", "sample", "compare", "stan")


def load_ipython_extension(shell: Any) -> None:  # noqa: ANN401 (IPython's shell, whose types are wrong here)
    """Register `%lmm` and `%%lmm`."""
    shell.register_magic_function(Magic(shell), magic_kind="line_cell", magic_name="lmm")


class Magic:
    """
    Fit, sample and compare linear mixed models.

    %lmm FORMULA            fit to the data frame that has the formula's columns, and return the fit
    %lmm . ~ . + x          change the model, and fit it
    %lmm :COMMAND           a command of the session, such as :anova, :diff, :script; :help lists them
    %%lmm DATA [ACTION]     the cell holds a formula and priors; ACTION is fit, ml, sample, compare or stan

    --family NAME(LINK), --weights COLUMN and --loglik-weights COLUMN may stand in either line; a line keeps them for
    those to come.
    """

    def __init__(self, shell: "InteractiveShell") -> None:
        self.shell = shell
        self.session = Session()
        self.__doc__ = type(self).__doc__

    def __call__(self, line: str, cell: str | None = None) -> Any:  # noqa: ANN401 (a fit, a posterior, a text)
        """Do what a line or a cell says; errors are shown without a traceback."""
        from IPython.core.error import UsageError

        try:
            return self._line(line.strip()) if cell is None else self._cell(line, cell)
        except LmmFormulaError as error:
            raise UsageError(str(error)) from None

    def _line(self, line: str) -> Any:  # noqa: ANN401 (as above)
        if not line:
            return Text(self.session.run(":help"))
        if line.startswith(":"):
            reply = self._reply(line)
            if reply.failed:
                raise FormulaError(reply.text.removeprefix("error: "))
            return Text(reply)
        line, choices = _choices(line)
        if changing.is_prior(line, self.session.state):
            return Text(changing.add_priors(self.session, line))
        now = self.session.state
        is_update = now.ir is not None and now.data is not None and line.partition("~")[0].strip() in ("", ".")
        data = now.need_data() if is_update else self._frame_for(parse(line))
        self._set(data_of(data.source, data.name, data.code), line, **choices)
        return fit_of(self.session)

    def _reply(self, line: str) -> Reply:
        try:
            return self.session.run(line)
        except Quit:
            return Reply("")

    def _cell(self, line: str, cell: str) -> Any:  # noqa: ANN401 (as above)
        rest, choices = _choices(line)
        words = rest.split()
        if not words or len(words) > 2 or (len(words) == 2 and words[1] not in ACTIONS):
            hint = f"%%lmm DATA [{'|'.join(ACTIONS)}] [--family NAME] [--weights COLUMN] [--loglik-weights COLUMN]"
            raise FormulaError("a cell needs the name of its data", hint=hint)
        if words[0] not in self.shell.user_ns:
            raise DataError(
                f"there is no variable `{printable(words[0])}`", hint="%%lmm is followed by the name of a data frame"
            )
        alone: dict[str, Any] = {"priors": (), "family": GAUSSIAN, "weights": "", "loglik_weights": ""}
        self._set(data_of(self.shell.user_ns[words[0]], words[0], words[0]), cell, **alone | choices)
        state = self.session.state
        default = "sample" if state.priors or not is_fitted(state.family) else "fit"
        return self._done(words[1] if len(words) == 2 else default)

    def _done(self, action: str) -> Any:  # noqa: ANN401 (as above)
        from lmmformula.api.comparison import compare

        model = self.session.state.need_model()
        if action == "stan":
            return Text(model.stan())
        if action == "ml":
            return fit_again(self.session, reml=False)
        if action == "fit":
            return fit_of(self.session)
        posterior = model.sample()
        self.session.note("posterior = model.sample()", posterior=posterior)
        return posterior if action == "sample" else compare(fit_of(self.session), posterior)

    def _set(self, data: Data, text: str, **changes: Any) -> None:  # noqa: ANN401 (fields of a State)
        """
        Go on to a formula on data, in one step; weights that these data don't have are forgotten.

        The data are read again each time, since a notebook may have changed them in place.
        """
        before = len(self.session.past)
        kept = {"data": data, **self.session.state.found_in(data.table)} | changes
        self.session.advance(f"data = {data.code}", model=None, fit=None, posterior=None, **kept)
        try:
            changing.set_formula(self.session, text)
        except LmmFormulaError:
            del self.session.past[before:]
            raise
        del self.session.past[before]

    def _frame_for(self, ir: ModelIR) -> Data:
        """Find the data frame that has all columns of a formula; of several, the one in use."""
        wanted = {variable.name for variable in ir.variables()}
        found = [data for data in self._frames() if wanted <= set(data.table.names)]
        now = self.session.state.data
        in_use = [data for data in found if now is not None and data.source is now.source]
        match in_use or found:
            case [data]:
                return data
            case []:
                names = ", ".join(f"`{printable(name)}`" for name in sorted(wanted))
                raise DataError(f"no data frame has the columns {names}", hint="%%lmm DATA names the data of a cell")
            case several:
                names = ", ".join(data.name for data in several)
                raise DataError(f"several data frames have these columns: {names}", hint="choose one by %%lmm DATA")

    def _frames(self) -> Iterator[Data]:
        """List the user's data frames."""
        for name, value in list(self.shell.user_ns.items()):
            if not name.startswith("_") and _is_frame(value):
                yield data_of(value, name, name)


def _choices(line: str) -> tuple[str, dict[str, Any]]:
    """
    Take `--family NAME` and the columns of weights out of a line; the others are fields of a State.

    >>> _choices("sleep fit --family binomial(probit)")
    ('sleep fit', {'family': Family(name='binomial', link='probit')})
    """
    found = dict(OPTION.findall(line))
    options = ("weights", "loglik-weights")
    choices: dict[str, Any] = {name.replace("-", "_"): found[name] for name in options if name in found}
    if "family" in found:
        choices["family"] = chosen_family(found["family"])
    return OPTION.sub(" ", line).strip(), choices


def _is_frame(value: object) -> bool:
    return type(value).__module__.partition(".")[0] in FRAMES and type(value).__name__ in (
        "DataFrame",
        "LazyFrame",
        "Table",
    )
