"""Export the Stan program and its data, to be read, changed, or run by CmdStan."""

from pathlib import Path

import lmmformula as lf

sleepstudy = lf.datasets.load("sleepstudy")
model = lf.Model("Reaction ~ Days + (Days | Subject)", sleepstudy)

# The program, its data, a script that runs it, and how to run it by CmdStan from the shell.
model.stan().write("sleepstudy.stan")
print(Path("sleepstudy.stan").read_text(encoding="utf-8"))

# Change the text and run it with the model's data: here the residual gets another prior.
text = Path("sleepstudy.stan").read_text(encoding="utf-8")
text = text.replace("sigma ~ student_t(3, 0, prior_sigma_scale)", "sigma ~ normal(20, 1)")
posterior = model.sample(code=text, chains=2, draws=500, seed=1, progress=False)
print(posterior.confint(["Days", "sigma"]))

# Keep it; nothing in the file can run, and other programs read it.
posterior.save("sleepstudy.nc")
print(lf.load("sleepstudy.nc").ngroups)
