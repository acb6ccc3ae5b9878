"""The driver of the package: model and design -> a program with its data, ready to be written or run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from pathlib import Path

from lmmformula.arrays import AnyArray
from lmmformula.design.design import Design
from lmmformula.errors import FitError, printable
from lmmformula.ir.model import ModelIR
from lmmformula.newcomers import answers_newcomers
from lmmformula.stan.export import write_program
from lmmformula.stan.program.data import stan_data
from lmmformula.stan.program.lower import lower_program
from lmmformula.stan.program.priors import PriorRow
from lmmformula.stan.program.record import NOTHING_EXTRA, Extra, Form, Program
from lmmformula.stan.program.render import render
from lmmformula.stan.program.variables import Parameters, describe_parameters


@answers_newcomers(made="Model(...).stan()")
@dataclass(frozen=True, repr=False)
class StanProgram:
    """
    A Stan program with its data; `str()` is its text.

    code : the text
    data : entry of the data block -> array
    parameters : which variable holds which quantity of the model
    priors : the prior of each parameter, and the line of the program it became
    program : the program as data
    edited : whether the text is not the one that was generated
    """

    code: str
    data: dict[str, AnyArray]
    parameters: Parameters
    priors: tuple[PriorRow, ...]
    program: Program
    edited: bool = False

    def __str__(self) -> str:
        return self.code

    def __repr__(self) -> str:
        kind = "edited" if self.edited else f"{self.form} form"
        lines = len(self.code.splitlines())
        return f"StanProgram({printable(self.program.formula)!r}, {kind}, {lines} lines; print() shows them)"

    @property
    def form(self) -> Form:
        """Whether random effects are integrated out: "marginal" or "conditional"."""
        return self.program.form

    @property
    def prior_only(self) -> bool:
        """Whether its draws are from the prior."""
        return self.program.extra.prior_only

    def data_json(self) -> str:
        """Write the data as CmdStan reads them, every number exactly."""
        lines = (f"{json.dumps(name)}: {json.dumps(array.tolist())}" for name, array in self.data.items())
        return "{\n" + ",\n".join(lines) + "\n}\n"

    def write(self, path: str | PathLike[str]) -> Path:
        """
        Write the program to `path`, and beside it its data, a script that runs it, and how to run it by CmdStan.

        For `model.stan` these are `model.data.json`, `model.run.py` and `model.README.md`; files of these names are
        replaced. None of them needs this package.
        """
        return write_program(self.code, self.data_json(), path)


def stan_program(
    ir: ModelIR,
    design: Design,
    *,
    form: str = "auto",
    data_form: str = "rows",
    literals: bool = False,
    information: Mapping[str, float] | None = None,
    geometry: Mapping[str, str] | None = None,
    extra: Extra = NOTHING_EXTRA,
) -> StanProgram:
    """
    Generate the Stan program of a model on its design.

    form : "marginal" (random effects integrated out), "conditional", or "auto" for marginal wherever it applies
    data_form : "rows", so that the program reads the data as they are; or "crossproducts", so that a marginal program
        reads the sums over rows that it needs, which for long data is a small file and a quick start
    literals : write the numbers of the priors in the program's text, instead of its data
    information : n_j tau^2 / sigma^2 of a typical level by grouping factor, as a fit tells; chooses the geometry of
        effects that are sampled: centred where it is large, non-centred where it is small or not known
    geometry : "centered" or "noncentered" by grouping factor, to choose it oneself
    extra : what the program has on request

    Raises
    ------
    FitError
        There is no such program: of this family, form or geometry.
    FormulaError
        A prior statement fits no parameter of the model.
    """
    program, priors = lower_program(
        ir, design, form=form, data_form=data_form, information=information, geometry=geometry
    )
    if (extra.log_lik or extra.y_rep) and program.data_form != "rows":
        raise FitError("log_lik and y_rep are of rows, and a program of cross-products has none")
    if extra.prior_only and program.form != "conditional":
        raise FitError("a program of the prior alone has the conditional form", hint="form='conditional'")
    program = replace(program, extra=extra)
    return StanProgram(
        code=render(program, literals=literals, version=_version()),
        data=stan_data(program, design, literals=literals),
        parameters=describe_parameters(program, design),
        priors=priors,
        program=program,
    )


def _version() -> str:
    try:
        return version("lmmformula")
    except PackageNotFoundError:
        return ""
