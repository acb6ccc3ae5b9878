"""What stands in for CmdStan's tools: the translator stanc, the step behind it, stansummary and diagnose."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import numpy as np

from standin.installation import OPTIONS, script
from standin.stancsv import read_rows


def stanc(words: list[str]) -> int:
    """
    `stanc [--info] [--filename-in-msg=NAME] [--o=OUTPUT] FILE`: check a program with the compiler inside stanli.

    Warnings and formatting need the genuine stanc.
    """
    import stanli

    flags = [word for word in words if word.startswith("--")]
    values = dict(flag[2:].partition("=")[::2] for flag in flags)
    if "version" in values:
        sys.stdout.write("stanc3 v2.37.0 (stand-in)\n")
        return 0
    if {"auto-format", "print-canonical", "canonicalize"} & values.keys():
        sys.stderr.write("the stand-in for stanc does not format programs\n")
        return 2
    file = Path(next(word for word in words if not word.startswith("--")))
    try:
        mir = stanli.stan_to_mir(file.read_text(encoding="utf-8"), include_paths=[file.parent])
    except RuntimeError as error:
        sys.stderr.write(f"{error}".replace("'string'", f"'{values.get('filename-in-msg', file)}'", 1) + "\n")
        return 1
    if "info" in values:
        sys.stdout.write(json.dumps({"stancflags": "", "included_files": []}) + "\n")
    if "o" in values:
        Path(values["o"]).write_text(mir, encoding="utf-8")
    return 0


def link(words: list[str]) -> int:
    """`link MODEL.stan MODEL`: make the executable, one script that holds the program and needs no other file."""
    import stanli

    file, target = map(Path, words)
    source = file.read_text(encoding="utf-8")
    mir = stanli.stan_to_mir(source, include_paths=[file.parent])
    options = {name: os.environ.get(name, "").lower() in {"1", "true"} for name in OPTIONS}
    body = (
        "from standin.executable import Program, main\n\n"
        f"program = Program({file.name!r}, {source!r}, {mir!r}, {options!r})\n"
        "sys.exit(main(program, sys.argv[1:]))\n"
    )
    script(target, body)
    return 0


def stansummary(words: list[str]) -> int:
    """`stansummary [--percentiles=5,50,95] [--csv_filename=OUTPUT] FILE...`: mean, sd, percentiles of each column."""
    values = dict(word[2:].partition("=")[::2] for word in words if word.startswith("--"))
    percentiles = [int(p) for p in values.get("percentiles", "5,50,95").split(",")]
    names, rows = read_chains(words)
    pooled = np.concatenate(rows)
    table = np.column_stack([pooled.mean(0), pooled.std(0, ddof=1), np.percentile(pooled, percentiles, axis=0).T])
    lines = [",".join(["name", "Mean", "StdDev", *(f"{p}%" for p in percentiles)])]
    lines += [f'"{name}",' + ",".join(f"{x:.8g}" for x in row) for name, row in zip(names, table, strict=True)]
    text = "\n".join(lines) + "\n"
    if path := values.get("csv_filename"):
        Path(path).write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


def diagnose(words: list[str]) -> int:
    """`diagnose FILE...`: count divergent transitions."""
    names, rows = read_chains(words)
    divergent = int(np.concatenate(rows)[:, names.index("divergent__")].sum())
    sys.stdout.write(f"{divergent or 'No'} divergent transitions found.\n\nProcessing complete.\n")
    return 0


def read_chains(words: list[str]) -> tuple[list[str], list[np.ndarray]]:
    """Read the draws after warm-up of every file on a command line."""
    rows = []
    names: list[str] = []
    for file in (Path(word) for word in words if not word.startswith("--")):
        names, all_rows = read_rows(file)
        text = file.read_text(encoding="utf-8")
        rows.append(all_rows[saved_warmup(text) :])
    return [re.sub(r"\.(.*)", lambda found: f"[{found[1].replace('.', ',')}]", name) for name in names], rows


def saved_warmup(text: str) -> int:
    """Count the rows of warm-up that a file says it holds."""

    def said(name: str) -> str:
        return found[1] if (found := re.search(rf"^# *{name} = (\w+)", text, re.MULTILINE)) else "0"

    return -(-int(said("num_warmup")) // max(int(said("thin")), 1)) if said("save_warmup") in {"1", "true"} else 0
