"""Export the Stan program and its data, to be read, changed, or run by CmdStan."""

from pathlib import Path

import lmmformula as lf

sleepstudy = lf.datasets.load("sleepstudy")
program = lf.Model("Reaction ~ Days + (Days | Subject)", sleepstudy).stan()
program.write("sleepstudy.stan")
print(Path("sleepstudy.stan").read_text(encoding="utf-8"))
