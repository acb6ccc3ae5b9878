"""Hypothesis strategies: formulas that mean something, and texts that need not."""

from hypothesis import strategies as st

from lmmformula.ir.names import quote

NAMES = ("x", "z", "f", "a", "b", "x.1", "ζ", "_u", "`my var`", "`if`", "`pi`", "T", "`NA_`", "`...`")
GROUPS = ("g", "h", "`my group`", "site")

quoted_names = st.text(min_size=1, max_size=5).map(lambda name: quote(name, "`"))
"""Any text at all is a name inside backticks."""

names = st.one_of(st.sampled_from(NAMES), quoted_names)

numbers = st.one_of(
    st.integers(0, 10**6).map(str),
    st.integers(0, 99).map("{}L".format),
    st.floats(0, allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(("pi", "Inf", "1e-3", ".5", "2.")),
)


def _arithmetic(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = ("+", "-", "*", "/", "^", "**", "%%", "%/%", "<", ">=", "==", "!=", "&", "|")
    functions = ("log", "exp", "sqrt", "I", "scale", "factor", "abs")
    return st.one_of(
        st.tuples(inner, st.sampled_from(operators), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(st.sampled_from("-+!"), inner).map(lambda t: f"({t[0]}{t[1]})"),
        st.tuples(st.sampled_from(functions), inner).map(lambda t: f"{t[0]}({t[1]})"),
        inner.map(lambda text: f"({text})"),
    )


arithmetic = st.recursive(st.one_of(names, numbers), _arithmetic, max_leaves=5)
"""What may stand inside a call."""

factors = st.one_of(
    names,
    st.sampled_from(NAMES),
    arithmetic.map(lambda text: f"I({text})"),
    st.tuples(st.sampled_from(NAMES), st.integers(1, 4)).map(lambda t: f"poly({t[0]}, {t[1]}, raw = TRUE)"),
    st.sampled_from(("log(x)", "x > 0", "splines::ns(z, df = 3)", "C(f, contr.sum)", "cut(x, c(-Inf, 0, Inf))")),
)
"""One variable of a term."""


def _terms(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = ("+", "+", "+", "-", ":", "*", "/", "%in%")
    return st.one_of(
        st.tuples(inner, st.sampled_from(operators), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
        st.tuples(inner, st.integers(1, 3)).map(lambda t: f"({t[0]})^{t[1]}"),
    )


terms = st.recursive(st.one_of(factors, st.sampled_from(("0", "1", "-1", "f", "x", "."))), _terms, max_leaves=6)
"""One side of a formula, or of a bar."""

groups = st.one_of(
    st.sampled_from(GROUPS),
    st.permutations(GROUPS).map(lambda names: ":".join(names[:2])),
    st.permutations(GROUPS).map(lambda names: "/".join(names[:3])),
    st.permutations(GROUPS).map(lambda names: f"{names[0]}/({names[1]}:{names[2]})"),
)

random_terms = st.one_of(
    st.tuples(terms, st.sampled_from(("|", "|", "||")), groups).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    st.tuples(
        st.sampled_from(("us", "diag", "cs", "ar1")),
        terms,
        st.sampled_from(GROUPS),
        st.sampled_from(("", ", hom = TRUE", ", hom = FALSE")),
    ).map(lambda t: f"{t[0]}({t[1]} | {t[2]}{t[3]})"),
)

responses = st.one_of(
    st.sampled_from(("y", "log(y)", "y - x", "cbind(s, n - s)", "s/n", "I(y^2)", "`my y`")),
    names,
)

selectors = st.one_of(
    st.just(""),
    st.one_of(names, st.sampled_from(("(Intercept)", "x:z", "I(x^2)", "'f b'"))).map("[{}]".format),
)

priors = st.one_of(
    st.tuples(st.sampled_from(("b", "cor", "sd")), selectors, st.sampled_from(("normal(0, 1/3)", "exponential(1e-3)")))
    .map(lambda t: f"{t[0]}{t[1]} ~ {t[2]}"),
    st.sampled_from(("sigma ~ student_t(3, 0, 2.5)", "sd[g, x] ~ uniform(0, 9)", "Intercept ~ normal(-1, 8)")),
)  # fmt: skip


@st.composite
def formulas(draw: st.DrawFn) -> str:
    """Draw a formula with random-effects terms, offsets and prior statements; now and then one that must be refused."""
    summands = [
        draw(terms),
        *draw(st.lists(random_terms, max_size=3)),
        *draw(st.lists(arithmetic.map("offset({})".format), max_size=1)),
    ]
    return "\n".join([f"{draw(responses)} ~ {' + '.join(summands)}", *draw(st.lists(priors, max_size=2))])


alphabet = st.sampled_from(
    (*"xyzg01.~+-*/^:|&!<>=()[],;'`\"\\ \n#%$", "%in%", "poly(", "||", "cbind(", "é", "\x00", "\u2212")
)

tokens = st.sampled_from(
    ("x", "`a b`", "1", "2L", ".5", "'s'", "TRUE", "(", ")", "[", "]", "|", "||", "&", "&&", "!", "==", "<", "+", "-",
     "*", "/", "%in%", "%%", "%", "^", "**", ":", "::", ":::", "=", ",", "~", "y ~ ", "\n", ";", "$", "@", "?", "{",
     "\\", "# c\n", "poly(x", "(1 | g)", "(x || g)", "ar1(", "offset(", "cbind(y, x)", "b", "normal(", ".", "...", "\t",
     "\u00a0", "\u2212", "\x00")
)  # fmt: skip
"""Whole tokens, and what looks like one."""

soups = st.tuples(st.sampled_from(("", "y ~ ")), st.sampled_from(("", " ")), st.lists(tokens, max_size=9)).map(
    lambda t: t[0] + t[1].join(t[2])
)

gibberish = st.one_of(st.text(max_size=40), st.lists(alphabet, max_size=30).map("".join), soups)
"""Texts of anything, and texts of what formulas are made of: characters and tokens."""


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Draw a formula with a few of its characters removed, doubled, swapped or replaced."""
    characters = list(draw(formulas()))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(characters) - 1)) if characters else 0
        match draw(st.integers(0, 3)):
            case 0:
                del characters[place : place + draw(st.integers(1, 3))]
            case 1:
                characters[place:place] = characters[place : place + draw(st.integers(1, 8))]
            case 2:
                characters[place : place + 2] = characters[place : place + 2][::-1]
            case _:
                characters[place : place + 1] = [draw(alphabet)]
    return "".join(characters)
