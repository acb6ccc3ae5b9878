"""Words of other packages that a formula may be written in, and what to say of each: tables, read by the lowering."""

SPLINES = "smooths are not supported yet; bs() and ns() make splines"
RESIDUALS = "correlated residuals are not supported yet; ar1(0 + time | g) correlates the effects of a group's times"
PROCESSES = "Gaussian processes are not supported yet; bs() and ns() make splines"

NOT_YET: dict[str, str] = {
    **dict.fromkeys(("s", "te", "ti", "t2", "lo"), SPLINES),
    **dict.fromkeys(("gp", "hsgp"), PROCESSES),
    **dict.fromkeys(("ar", "ma", "arma", "car1", "cosy", "unstr", "corAR1", "corCAR1", "corCompSymm"), RESIDUALS),
    **dict.fromkeys(("car", "sar", "fcor"), "correlation between neighbours in space is not supported"),
    **dict.fromkeys(("mvbind", "mvbf"), "several responses are not supported yet; fit each by itself"),
    **dict.fromkeys(("Surv", "bhaz", "frailty"), "survival times are not supported yet"),
    **dict.fromkeys(("nl", "nlf"), "nonlinear predictors are not supported yet"),
    "mm": "multiple membership is not supported yet",
    "mo": "monotonic effects are not supported yet",
    "mi": "missing values as parameters are not supported yet; their rows are left out",
    "me": "measurement errors are not supported",
}
"""Functions that mean a term or a response which there is not -> what to say."""

INSTEAD: dict[str, str] = {
    "mean": "center(x) is x - mean(x), and remembers the mean for new data",
    "sd": "scale(x) centres and divides by the standard deviation, and remembers both for new data",
    **dict.fromkeys(
        ("stand", "standardize", "standardise", "zscore", "std"),
        "scale(x) centres and divides by the standard deviation, and remembers both for new data",
    ),
    **dict.fromkeys(("interaction", "paste", "paste0"), "an interaction is written a:b"),
    "weights": "weights are an argument: weights=, the name of a column",
    **dict.fromkeys(("dispformula", "ziformula", "zi", "disp"), "a predictor of it is not supported yet"),
    "dummy": 'I(f == "b") is the column of one level',
    **dict.fromkeys(
        ("re", "random", "Error", "strata", "cluster", "subject"), "groups stand behind a bar in brackets: (1 | group)"
    ),
    **dict.fromkeys(("demean", "centre"), "did you mean `center`?"),
    "logit": "did you mean `qlogis`?",
    **dict.fromkeys(("expit", "inv_logit", "invlogit", "logistic"), "did you mean `plogis`?"),
    "probit": "did you mean `qnorm`?",
    **dict.fromkeys(("pow", "power", "square", "sqr"), "powers go inside I(), as in I(x^2)"),
    **dict.fromkeys(("bspline", "ps", "lspline"), "bs() and ns() make splines"),
    **dict.fromkeys(("categorical", "get_dummies", "one_hot"), "factor(x) makes levels of any column"),
    "rcs": "ns() makes natural splines",
    "as.character": "factor(x) makes levels of any column",
    "ln": "did you mean `log`?",
    "Q": "a name that is none goes into backticks: `a b`",
}
"""Other functions that are often asked for -> what there is instead."""

CONTRASTS: dict[str, str] = {
    "Sum": "contr.sum", "Helmert": "contr.helmert", "Poly": "contr.poly", "SAS": "contr.SAS",
    "sum": "contr.sum", "helmert": "contr.helmert", "treatment": "contr.treatment",
}  # fmt: skip
"""Contrasts as patsy and formulaic write them, C(f, Sum) -> as R does."""

ADDITIONS: dict[str, tuple[str, str]] = {
    "weights": (
        "factors of the log density are an argument, not a part of the response",
        "name the column there: loglik_weights=",
    ),
    "trials": (
        "trials are counted in the response itself",
        "write cbind(successes, trials - successes), or successes / trials",
    ),
    "rate": ("an exposure is an offset", "add its logarithm: + offset(log(exposure))"),
    "subset": ("rows are chosen before", "give the model a part of the data frame"),
    "cens": ("censored responses, cens(), are not supported yet", ""),
    "trunc": ("truncated responses, trunc(), are not supported yet", ""),
    "se": ("known standard errors, se(), are not supported yet", ""),
    "mi": ("missing responses as parameters, mi(), are not supported yet", "their rows are left out"),
    **dict.fromkeys(
        ("thres", "cat", "dec", "index", "vint", "vreal", "bhaz"), ("this addition of brms is not supported", "")
    ),
}
"""What brms adds to a response, `y | cens(c)` -> message and hint."""

LATER = frozenset(("toep", "ou", "exp", "gau", "mat", "rr", "propto", "equalto", "homtoep"))
"""Covariance structures of glmmTMB that there are not yet."""
OTHERWISE: dict[str, str] = {
    "homcs": "cs({left} | {group}, hom = TRUE)",
    "homdiag": "diag({left} | {group}, hom = TRUE)",
    "hetar1": "ar1({left} | {group}, hom = FALSE)",
    "unstruc": "us({left} | {group})",
    "zerocorr": "diag({left} | {group})",
    "fulldummy": "({left} | {group})",
}
"""Covariance structures that are written in another way here."""

PARAMETERS = frozenset(
    ("sigma", "shape", "phi", "nu", "alpha", "zi", "hu", "zoi", "coi", "disc", "power", "kappa", "ndt", "bs", "disp")
)
"""Parameters of families, here and elsewhere, that a statement may be meant to predict."""
