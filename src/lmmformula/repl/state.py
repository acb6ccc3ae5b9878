"""What a session knows, as one record; each step makes a new one, so that going back is easy."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lmmformula.data.delimited import TextOptions
from lmmformula.data.table import Table, read_table
from lmmformula.errors import FormulaError, printable
from lmmformula.ir.family import GAUSSIAN, Family
from lmmformula.ir.model import ModelIR
from lmmformula.ir.priors import Prior
from lmmformula.repl.sources import read_source
from lmmformula.repl.typing.facts import Facts

if TYPE_CHECKING:
    from lmmformula.api.fits import GeneralizedMixedFit, LinearMixedFit
    from lmmformula.api.model import Model
    from lmmformula.api.posterior import Posterior


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """
    The data in use.

    name : what they are called
    code : the Python that makes them
    source : the data frame itself
    remark : on how the file is written
    """

    name: str
    code: str
    source: object
    table: Table
    facts: Facts
    remark: str = ""


def data_of(frame: object, name: str, code: str, remark: str = "") -> Data:
    """Take a data frame of any library."""
    table = read_table(frame)
    return Data(name, code, frame, table, Facts(table), remark)


def data_from(source: str, text: TextOptions | None = None) -> Data:
    """
    Read a file or a data set of the package.

    text : how text files are read
    """
    frame = read_source(source, text)
    return data_of(
        frame, **{name: str(frame.attrs[name]) for name in ("name", "code", "remark") if name in frame.attrs}
    )


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """
    All that a session knows.

    formula : as typed, without priors; "" before there is one
    family : of the response, of this model and those to come
    weights, loglik_weights : the columns that hold them; "" for none
    ir : the formula with all priors and the family
    priors : the prior statements in force, canonical
    model : the formula on the data, None before there are both
    fit, posterior : of this model, None before it was fitted or sampled
    code : the Python that has led here
    """

    data: Data | None = None
    formula: str = ""
    family: Family = GAUSSIAN
    weights: str = ""
    loglik_weights: str = ""
    ir: ModelIR | None = None
    priors: tuple[Prior, ...] = ()
    model: "Model | None" = None
    fit: "LinearMixedFit | GeneralizedMixedFit | None" = None
    posterior: "Posterior | None" = None
    code: tuple[str, ...] = field(default=(), repr=False)

    @property
    def text(self) -> str:
        """Formula and priors as one text."""
        return "\n".join([self.formula, *map(str, self.priors)])

    @property
    def row_columns(self) -> dict[str, str]:
        """Argument of a model -> the column that is given for it."""
        given = {"weights": self.weights, "loglik_weights": self.loglik_weights}
        return {argument: column for argument, column in given.items() if column}

    @property
    def row_text(self) -> str:
        """These, as they stand behind a model."""
        return "".join(f", {argument} {printable(column)}" for argument, column in self.row_columns.items())

    def found_in(self, table: Table) -> dict[str, str]:
        """Return these, "" for columns that other data don't have."""
        return {argument: column if column in table else "" for argument, column in self.row_columns.items()}

    def need_data(self) -> Data:
        """Return the data, or say how to get some."""
        if self.data is None:
            raise FormulaError("there are no data yet", hint="`:data FILE` reads some; `:data sleepstudy` is at hand")
        return self.data

    def need_ir(self) -> ModelIR:
        """Return the formula, or say how to give one."""
        if self.ir is None:
            raise FormulaError("there is no model yet", hint="type a formula, such as y ~ x + (x | group)")
        return self.ir

    def need_model(self) -> "Model":
        """Return the model on its data."""
        self.need_ir()
        self.need_data()
        assert self.model is not None
        return self.model


class States:
    """
    The states of a session, the present one last.

    undone : those that `:undo` took back
    """

    def __init__(self, data: Data | None = None) -> None:
        code = ("import lmmformula as lf",)
        self.undone: list[State] = []
        self.past = [State(data=data, code=code if data is None else (*code, f"data = {data.code}"))]

    @property
    def state(self) -> State:
        """The present state."""
        return self.past[-1]

    def advance(self, code: str = "", **changes: Any) -> State:  # noqa: ANN401 (fields of a State)
        """Go on to another model, which `:undo` takes back."""
        self.past.append(self._changed(code, changes))
        return self.state

    def note(self, code: str = "", **changes: Any) -> State:  # noqa: ANN401 (fields of a State)
        """Keep what was found out about the present model."""
        self.past[-1] = self._changed(code, changes)
        return self.state

    def _changed(self, code: str, changes: dict[str, Any]) -> State:
        return replace(self.state, code=(*self.state.code, *filter(None, [code])), **changes)
