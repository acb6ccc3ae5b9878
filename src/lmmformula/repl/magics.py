"""
IPython and Jupyter: `%load_ext lmmformula`, then `%lmm FORMULA`, `%lmm :COMMAND`, or `%%lmm DATA` above a cell.

A line fits a formula to the data frame that has its columns. A cell holds a formula and, if you like, priors; it is
fitted without priors and sampled with them.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lmmformula.api.parsing import parse
from lmmformula.errors import DataError, FormulaError, LmmFormulaError, printable
from lmmformula.ir.model import ModelIR
from lmmformula.present.text import Text
from lmmformula.repl import changing
from lmmformula.repl.fitting import fit_of
from lmmformula.repl.session import Quit, Reply, Session
from lmmformula.repl.state import Data, data_of

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

FRAMES = frozenset(("pandas", "polars", "pyarrow", "modin", "cudf"))
"""Libraries whose data frames are found by themselves."""

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
    """

    def __init__(self, shell: "InteractiveShell") -> None:
        self.shell = shell
        self.session = Session()
        self.__doc__ = type(self).__doc__

    def __call__(self, line: str, cell: str | None = None) -> Any:  # noqa: ANN401 (a fit, a posterior, a text)
        """Do what a line or a cell says; errors are shown without a traceback."""
        from IPython.core.error import UsageError

        try:
            return self._line(line.strip()) if cell is None else self._cell(line.split(), cell)
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
        if changing.is_prior(line, self.session.state):
            return Text(changing.add_priors(self.session, line))
        now = self.session.state
        is_update = now.ir is not None and now.data is not None and line.partition("~")[0].strip() in ("", ".")
        data = now.need_data() if is_update else self._frame_for(parse(line))
        self._set(data_of(data.source, data.name, data.code), line)
        return fit_of(self.session)

    def _reply(self, line: str) -> Reply:
        try:
            return self.session.run(line)
        except Quit:
            return Reply("")

    def _cell(self, words: list[str], cell: str) -> Any:  # noqa: ANN401 (as above)
        if not words or len(words) > 2 or (len(words) == 2 and words[1] not in ACTIONS):
            raise FormulaError("a cell needs the name of its data", hint=f"%%lmm DATA [{'|'.join(ACTIONS)}]")
        if words[0] not in self.shell.user_ns:
            raise DataError(
                f"there is no variable `{printable(words[0])}`", hint="%%lmm is followed by the name of a data frame"
            )
        self._set(data_of(self.shell.user_ns[words[0]], words[0], words[0]), cell, priors=())
        default = "sample" if self.session.state.priors else "fit"
        return self._done(words[1] if len(words) == 2 else default)

    def _done(self, action: str) -> Any:  # noqa: ANN401 (as above)
        from lmmformula.api.comparison import compare

        model = self.session.state.need_model()
        if action == "stan":
            return Text(model.stan())
        if action == "ml":
            return self.session.note("fit = model.fit(reml=False)", fit=model.fit(reml=False)).fit
        if action == "fit":
            return fit_of(self.session)
        posterior = model.sample()
        self.session.note("posterior = model.sample()", posterior=posterior)
        return posterior if action == "sample" else compare(fit_of(self.session), posterior)

    def _set(self, data: Data, text: str, **changes: Any) -> None:  # noqa: ANN401 (fields of a State)
        """
        Go on to a formula on data, in one step.

        The data are read again each time, since a notebook may have changed them in place.
        """
        before = len(self.session.past)
        self.session.advance(f"data = {data.code}", data=data, model=None, fit=None, posterior=None, **changes)
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


def _is_frame(value: object) -> bool:
    return type(value).__module__.partition(".")[0] in FRAMES and type(value).__name__ in (
        "DataFrame",
        "LazyFrame",
        "Table",
    )
