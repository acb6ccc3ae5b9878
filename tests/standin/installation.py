"""Makes the folder that looks like a CmdStan, and finds the genuine tools that the package `prophet` ships."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

OPTIONS = ("STAN_THREADS", "STAN_MPI", "STAN_OPENCL", "STAN_NO_RANGE_CHECKS", "STAN_CPP_OPTIMS")
"""The make variables that a CmdStan executable reports when asked for `info`."""

TOOLS = ("stanc", "stansummary", "diagnose")

MAKEFILE = """\
# A STAND-IN for the makefile of CmdStan, for tests: executables run stanli, nothing is compiled by a C++ compiler.
CMDSTAN_VERSION := {version}
MAKEFLAGS += --no-builtin-rules
export {options}

makefile: ;

%.hpp: %.stan
\t@echo ''
\t@echo '--- Translating Stan model to C++ code ---'
\tbin/stanc $(STANCFLAGS) --o=$@ $<

%: %.hpp
\t@echo ''
\t@echo '--- Linking model ---'
\t@echo '$@' >> made.txt
\tbin/link $*.stan $@
"""

LAUNCHER = """\
#!/bin/sh
'''exec' "{python}" "$0" "$@"
'''
# The two lines above start Python from a folder of any name; to Python they are a string.
import sys

sys.path.insert(0, {tests!r})
"""
"""The head of every script of the stand-in."""


def build_standin(folder: Path, *, genuine: bool = True, version: str = "2.37.0") -> Path:
    """
    Make a folder that cmdstanpy takes for CmdStan 2.37, or that says that it is another version, and return it.

    Each executable that is made in it adds its path to `folder/made.txt`. Needs `make` and a POSIX shell.

    genuine : use the genuine stanc, stansummary and diagnose where there are any
    """
    tools = folder / "bin"
    tools.mkdir(parents=True)
    (folder / "makefile").write_text(MAKEFILE.format(options=" ".join(OPTIONS), version=version), encoding="utf-8")
    script(tools / "link", "from standin.tools import link as tool\n\nsys.exit(tool(sys.argv[1:]))\n")
    for name in TOOLS:
        found = genuine_tool(name) if genuine else None
        if found is None:
            script(tools / name, f"from standin.tools import {name} as tool\n\nsys.exit(tool(sys.argv[1:]))\n")
        else:
            (tools / name).symlink_to(found)
    return folder


def script(path: Path, body: str) -> None:
    """Write an executable Python script that can import this package."""
    head = LAUNCHER.format(python=sys.executable, tests=str(Path(__file__).parents[1]))
    path.write_text(head + body, encoding="utf-8")
    path.chmod(0o755)


def genuine_tool(name: str) -> Path | None:
    """Find a genuine tool of CmdStan 2.37, such as `stanc`, inside an installed `prophet`, which is not imported."""
    found = [
        tool for folder in genuine_folder() for tool in folder.glob(f"cmdstan-*/bin/{name}") if os.access(tool, os.X_OK)
    ]
    return found[-1] if found else None


def genuine_cmdstan() -> tuple[Path, Path] | None:
    """Find the one genuine CmdStan executable that `prophet` ships, with its Stan file."""
    for folder in genuine_folder():
        executable, program = folder / "prophet_model.bin", folder / "prophet.stan"
        if os.access(executable, os.X_OK) and program.is_file():
            return executable, program
    return None


def genuine_folder() -> list[Path]:
    """Find the folder of an installed `prophet` that holds what was made by CmdStan."""
    spec = importlib.util.find_spec("prophet")
    return [Path(place) / "stan_model" for place in (spec.submodule_search_locations or [])] if spec else []
