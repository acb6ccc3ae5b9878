"""
A STAND-IN for a CmdStan installation, for tests only: CmdStan itself is in no package registry.

`build_standin` makes a folder that unmodified cmdstanpy takes for CmdStan 2.37: `make path/model` turns a Stan program
into an executable that speaks CmdStan's command line and writes Stan CSV. Behind that command line the draws come from
stanli. So everything between `CmdStanModel(...)` and the parsed draws is really exercised (compiling, files, options,
warm starts, processes, error texts), all but the sampler itself, for which tests marked `cmdstan` need the real thing.

What it leaves out: it knows the posterior mode on the sampler's scale only; its Pathfinder has one path, from a random
start, without resampling; a file of initial values must hold every parameter; draws are written when a chain has ended
or is ended; diagnostic and profile files stay unwritten.

Where the package `prophet` is installed (`pip install --no-deps prophet` suffices: nothing of it is imported), the
genuine `stanc`, `stansummary` and `diagnose` of CmdStan 2.37 inside it are used, and `genuine_cmdstan` finds the one
genuine executable that it ships, to which the stand-in is compared in `test_standin.py`.
"""

from standin.installation import build_standin, genuine_cmdstan, genuine_tool

__all__ = ["build_standin", "genuine_cmdstan", "genuine_tool"]
