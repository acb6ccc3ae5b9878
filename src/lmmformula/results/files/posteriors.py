"""
Posteriors in a netCDF file: the model, its schema, the program, the draws and what the sampler says; no pickle.

Without the data, a loaded posterior can say all but what needs the rows: summary, effects, diagnostics, marginal means,
predictions of new rows. With them it is what was saved.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from os import PathLike
from typing import Any, NoReturn, get_args

from lmmformula.arrays import AnyArray
from lmmformula.conform import conform, require
from lmmformula.data.columns import Column, FactorColumn, Kind, NumericColumn
from lmmformula.data.table import Library, Table
from lmmformula.design.build import NaAction
from lmmformula.design.design import Design
from lmmformula.design.rows import Rows, TermRows
from lmmformula.design.schema import Schema
from lmmformula.errors import EngineError, FitError
from lmmformula.ir.family import Family
from lmmformula.ir.model import ModelIR
from lmmformula.results.estimates import Sampled
from lmmformula.results.files.consistent import check_columns, check_parts, check_rows
from lmmformula.results.files.fits import (
    LAYOUT_OF_DESIGN,
    NOT_WHOLE,
    absent_columns,
    damaged,
    design_content,
    read_design,
)
from lmmformula.results.files.kept_numbers import Kept
from lmmformula.results.netcdf import Named, read_netcdf, write_netcdf
from lmmformula.results.predict.grid_values import grid_values
from lmmformula.stan.draws import Draws
from lmmformula.stan.generate import StanProgram
from lmmformula.stan.program.edited import check_read_back
from lmmformula.stan.program.priors import PriorRow
from lmmformula.stan.program.responses import SAMPLED, own_parameters
from lmmformula.stan.program.variables import FixedEffects, Parameters, RandomEffects

FORMAT = "lmmformula posterior"
VERSION = 1
"""Of the layout of the file; raised when a reader of the old one could not read the new one."""
ROWS = ("y", "X", "weights", "loglik_weights", "offset", "kept_rows")
"""What a design knows of the rows, beside its random terms."""
STATISTIC, DESIGN, TERM, COLUMN = "stat.", "design.", "term{}.", "column."
"""Beginnings of the names of arrays; no name of a Stan program has a dot."""


LAYOUT = {
    "data_name": str,
    "na_action": set(get_args(NaAction)),
    "library": set(get_args(Library)),
    "model": dict,
    "source": str,
    "schema": dict,
    "design": LAYOUT_OF_DESIGN,
    "program": {
        "code": str, "form": {"marginal", "conditional"}, "prior_only": bool, "edited": bool,
        "parameters": {
            "fixed": {"names": [str], "slopes": [int]},
            "random": [
                {
                    "group": str, "levels": [str], "coefficient_names": [str], "sd": str, "effects": str,
                    "correlation": str, "start": int, "stop": int, "scalar": bool,
                }
            ],
            "sigma": str,
            "family": [str],
        },
        "priors": [{"target": str, "distribution": str, "default": bool, "stan": str}],
    },
    "run": {
        "engine": str, "seed": int, "seconds": float, "warmup": int, "max_treedepth": int,
        "algorithm": {"nuts", "pathfinder", "laplace", "optimize"},
    },
    "rows": bool,
    "kept?": dict,
    "columns?": [{"name": str, "levels?": [str], "ordered?": bool, "kind?": set(get_args(Kind))}],
}  # fmt: skip
"""What the header of a file holds."""


class StoredProgram(StanProgram):
    """The text of a program that was run, and how to read its draws; its data were not saved."""

    def __init__(self, saved: Mapping[str, Any]) -> None:
        object.__setattr__(self, "code", saved["code"])
        object.__setattr__(self, "parameters", _parameters(saved["parameters"]))
        object.__setattr__(self, "priors", tuple(PriorRow(**row) for row in saved["priors"]))
        object.__setattr__(self, "edited", saved["edited"])
        object.__setattr__(self, "_saved", (saved["form"], saved["prior_only"]))

    @property
    def form(self) -> Any:  # noqa: ANN401 (the text that was saved)
        """Whether random effects are integrated out: "marginal" or "conditional"."""
        return self._saved[0]

    @property
    def prior_only(self) -> bool:
        """Whether its draws are from the prior."""
        return bool(self._saved[1])

    def __getattr__(self, name: str) -> NoReturn:
        if name in StanProgram.__dataclass_fields__:
            message = "the posterior was loaded from a file, which holds the program's text, but none of its data"
            raise FitError(message, hint="build the model on the data again: model.stan()")
        raise AttributeError(name)


def save_posterior(result: Sampled, path: str | PathLike[str], *, data: bool) -> None:
    """
    Write a posterior to a file.

    data : whether to save the rows of the model, too
    """
    if data:
        result.design.need_rows("data=True", "leave it out")
    program, raw = result.program, result.raw
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "data_name": result.data_name,
        "na_action": result.na_action,
        "library": result.table.library,
        "model": result.ir.to_dict(),
        "source": result.ir.source,
        "schema": result.schema.to_dict(),
        "design": design_content(result.design),
        "program": {
            "code": program.code,
            "form": program.form,
            "prior_only": program.prior_only,
            "edited": program.edited,
            "parameters": asdict(program.parameters),
            "priors": [asdict(row) for row in program.priors],
        },
        "run": {own.name: getattr(raw, own.name) for own in fields(raw) if own.name not in ("arrays", "statistics")},
        "rows": data,
        "kept": Kept(grid=grid_values(result)).to_dict(),
    }
    arrays = {name: Named(_dims(name, values), values) for name, values in raw.arrays.items()}
    arrays |= {STATISTIC + name: Named(_dims(name, values), values) for name, values in raw.statistics.items()}
    if data:
        columns = _columns(result)
        header["columns"] = [asdict(column) | {"values": None, "codes": None} for column in columns]
        arrays |= _rows(result.design) | {
            f"{COLUMN}{i}": Named(("given",), column.values if isinstance(column, NumericColumn) else column.codes)
            for i, column in enumerate(columns)
        }
    write_netcdf(path, header, arrays)


def load_posterior(path: str | PathLike[str]) -> dict[str, Any]:
    """
    Read what `save_posterior` wrote: the fields of a posterior.

    Raises
    ------
    FitError
        The file is damaged, or another's.
    """
    header, arrays = read_netcdf(path)
    if header.get("format") != FORMAT:
        raise FitError(f"{path} holds no posterior that lmmformula has saved")
    if header.get("version") != VERSION:
        raise FitError(
            f"{path} was saved in version {header.get('version')} of the layout, and this reads {VERSION}",
            hint="install the version of lmmformula that saved it",
        )
    try:
        return _read(header, arrays)
    except (*NOT_WHOLE, EngineError) as error:
        raise damaged(path, error) from error


def _read(header: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> dict[str, Any]:
    conform(header, LAYOUT)
    statistics = {k.removeprefix(STATISTIC): v for k, v in arrays.items() if k.startswith(STATISTIC)}
    draws = {k: v for k, v in arrays.items() if "." not in k}
    design = read_design(header["design"], Kept.from_dict(header.get("kept", {})))
    ir = replace(ModelIR.from_dict(header["model"]), source=header["source"])
    table = absent_columns(ir, design)
    schema, program = Schema.from_dict(header["schema"]), StoredProgram(header["program"])
    raw = Draws(arrays=draws, statistics=statistics, **header["run"])
    check_parts(ir, schema, design)
    _check_family(ir.family, program.parameters)
    _check_draws(design, program, raw)
    if header["rows"]:
        design = _with_rows(design, arrays)
        check_rows(design)
        columns = {c["name"]: _column(c, arrays[f"{COLUMN}{i}"]) for i, c in enumerate(header["columns"])}
        check_columns(columns, design.n_given)
        factors = {name: column for name, column in columns.items() if isinstance(column, FactorColumn)}
        table = Table(design.n_given, tuple(columns), dict.fromkeys(columns, ()), _columns=columns, _factors=factors)
    table = replace(table, library=header["library"])
    parts = {"ir": ir, "schema": schema, "design": design, "program": program, "raw": raw, "table": table}
    return parts | {"data_name": header["data_name"], "na_action": header["na_action"]}


def _check_family(family: Family, parameters: Parameters) -> None:
    """Refuse a family that no program has, or one with other parameters."""
    require(family in SAMPLED, "family")
    own = {*own_parameters(family)} | ({"cutpoint"} if family.ordinal else set())
    require({parameters.sigma, *parameters.family} - {""} == own, "family")


def _check_draws(design: Design, program: StanProgram, raw: Draws) -> None:
    """Refuse draws in which the quantities of the model are not found."""
    require(raw.statistics["lp"].ndim == 2 and raw.statistics["lp"].size > 0, "lp")
    drawn, parameters = raw.statistics["lp"].shape, program.parameters
    sampled = {"energy", "divergent", "treedepth"} if raw.algorithm == "nuts" else set()
    require(sampled <= set(raw.statistics), "the sampler's statistics")
    require(all(values.shape == drawn for values in raw.statistics.values()), "the sampler's statistics")
    require(all(values.shape[:2] == drawn for values in raw.values()), "the draws")
    check_read_back(program, raw)
    require(
        parameters.fixed.names == design.fixed_names == parameters.fixed.names[: len(parameters.fixed.slopes)], "fixed"
    )
    require(all(-1 <= slope < design.n_fixed for slope in parameters.fixed.slopes), "slopes")
    own = [(term.group, term.levels, term.coefficient_names) for term in parameters.random]
    require(own == [(t.group, t.levels, t.coefficient_names) for t in design.random_terms], "random")
    for term in parameters.random:
        k = len(term.coefficient_names)
        require(term.sds_of(raw).shape == (*drawn, k) and term.correlations_of(raw).shape == (*drawn, k, k), "random")
        require(term.effects_of(raw).shape == (*drawn, len(term.levels), k), "random")


def _dims(name: str, values: AnyArray) -> tuple[str, ...]:
    """Name the dimensions of draws."""
    return ("chain", "draw", *(f"{name}_dim_{i}" for i in range(values.ndim - 2)))


def _rows(design: Design) -> dict[str, Named]:
    """Collect the arrays of a design."""
    dims = {"X": ("row", "coefficient")}
    found = {name: getattr(design, name) for name in ROWS}
    arrays = {
        DESIGN + name: Named(dims.get(name, ("row",)), values) for name, values in found.items() if values is not None
    }
    for t, term in enumerate(design.random_terms):
        prefix = TERM.format(t)
        arrays[f"{prefix}codes"] = Named(("row",), term.codes)
        arrays[f"{prefix}covariates"] = Named(("row", f"{prefix}coefficient"), term.covariates)
    return arrays


def _with_rows(saved: Design, arrays: Mapping[str, AnyArray]) -> Design:
    """Put the arrays of a design back."""
    import numpy as np

    found: dict[str, Any] = {name: arrays.get(DESIGN + name) for name in ROWS}
    rows = Rows(**found | {"X": np.asfortranarray(found["X"])})
    own = [(arrays[f"{p}codes"], arrays[f"{p}covariates"]) for p in map(TERM.format, range(len(saved.random_terms)))]
    terms = [
        replace(term, rows=TermRows(codes, np.asfortranarray(covariates)))
        for term, (codes, covariates) in zip(saved.random_terms, own, strict=True)
    ]
    return replace(saved, rows=rows, random_terms=tuple(terms), kept=None)


def _columns(result: Sampled) -> list[Column]:
    """Return the columns of the data that the model reads."""
    groups = [name for random in result.schema.random for name in random.variables]
    offset = [] if result.schema.offset is None else [result.schema.offset]
    names = dict.fromkeys([*result.schema.columns, *groups, *offset])
    return [result.table[name] for name in names if name in result.table]


def _column(saved: Mapping[str, Any], values: AnyArray) -> Column:
    if "levels" not in saved:
        return NumericColumn(saved["name"], values)
    return FactorColumn(saved["name"], values, tuple(saved["levels"]), saved["ordered"], saved["kind"])


def _parameters(saved: Mapping[str, Any]) -> Parameters:
    """Read where the quantities of the model are found in the draws."""
    parts = _tuples(saved)
    parts["fixed"] = FixedEffects(**_tuples(saved["fixed"]))
    parts["random"] = tuple(RandomEffects(**_tuples(term)) for term in saved["random"])
    return Parameters(**parts)


def _tuples(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Make tuples of the lists that JSON made of them."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in saved.items()}
