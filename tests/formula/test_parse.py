import pytest

from lmmformula.errors import Span
from lmmformula.formula.ast import Chain, Expr, Formula, Name, Number, Parenthesis, PriorStatement, String, walk
from lmmformula.formula.parse import grammar_text, parse_priors, parse_text
from lmmformula.formula.scan import scan


def shape(expr: Expr) -> str:
    """Write a tree with all its brackets, to see what binds to what."""
    match expr:
        case Name(name=name):
            return name
        case Number(value=value) | String(value=value):
            return repr(value)
        case Parenthesis(inner=inner):
            return f"[{shape(inner)}]"
        case Chain(operators=operators, operands=(first, *others)):
            pairs = zip(operators, others, strict=True)
            return f"({shape(first)}{''.join(f' {operator} {shape(operand)}' for operator, operand in pairs)})"
        case _ if hasattr(expr, "operand"):
            return f"({expr.operator}{shape(expr.operand)})"
        case _:
            return f"{expr.function}({', '.join(shape(argument.value) for argument in expr.arguments)})"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a + b * c", "(a + (b * c))"),
        ("a - b + c", "(a - b + c)"),
        ("a * b / c", "(a * b / c)"),
        ("a * b %in% c", "(a * (b %in% c))"),
        ("a %in% b:c", "(a %in% (b : c))"),
        ("a:b^2", "(a : (b ^ 2.0))"),
        ("a^b^c", "(a ^ (b ^ c))"),
        ("a**b", "(a ^ b)"),
        ("-a^b", "(-(a ^ b))"),
        ("a^-b", "(a ^ (-b))"),
        ("a^-b^c", "(a ^ (-(b ^ c)))"),
        ("-a:b", "((-a) : b)"),
        ("a + -b", "(a + (-b))"),
        ("a < b + c", "(a < (b + c))"),
        ("!a == b", "(!(a == b))"),
        ("!a & b", "((!a) & b)"),
        ("a & b | c", "((a & b) | c)"),
        ("a | b || c", "(a | b || c)"),
        ("x + 1 | g", "((x + 1.0) | g)"),
        ("f(a + b, c)", "f((a + b), c)"),
        ("(a + b):c", "([(a + b)] : c)"),
        ("x%%2 + y%/%z", "((x %% 2.0) + (y %/% z))"),
        ("2L", "2"),
        (".5 + 1e3 + 1.", "(0.5 + 1000.0 + 1.0)"),
        ("'a\\'b\\n\\x41\\u00e9'", repr("a'b\nAé")),
    ],
)
def test_operators_bind_as_in_R(text: str, tree: str) -> None:
    """The tree is the one R's parser makes (R's `?Syntax`)."""
    assert shape(parse_text(f"y ~ {text}").formula.rhs) == tree


def test_every_node_knows_its_place() -> None:
    """A node's span cuts exactly its own text out of the formula, comments and line ends notwithstanding."""
    text = "log(`my y`) ~ a:b + # more\n (x + 1 |\n g) + poly(x, 2, raw = TRUE)"
    formula = parse_text(text).formula
    assert isinstance(formula.lhs, Expr)
    found = [text[expr.span.start : expr.span.end] for side in (formula.lhs, formula.rhs) for expr, _ in walk(side)]
    assert set(found) == {
        "log(`my y`)", "`my y`", text[14:], "a:b", "a", "b", "(x + 1 |\n g)", "x + 1 |\n g", "x + 1", "x", "1", "g",
        "poly(x, 2, raw = TRUE)", "2", "TRUE",
    }  # fmt: skip


def test_trees_compare_without_their_places() -> None:
    """The same formula, typed with other blanks, is an equal tree."""
    assert parse_text("y~x+(1|g)") == parse_text("y  ~\n x + ( 1 | g )")
    assert parse_text("y ~ x").formula == Formula(Name("y"), Name("x"), Span(0, 1))


def test_prior_statements_parse_alone() -> None:
    """Statements may come without a formula, and none at all is none."""
    (first, second) = parse_priors("b[x] ~ normal(0, 1)\nsigma ~ exponential(1)")
    assert isinstance(first, PriorStatement)
    assert (first.parameter, first.selectors, second.parameter) == ("b", (Name("x"),), "sigma")
    assert parse_priors("  \n") == ()


@pytest.mark.parametrize(
    ("text", "blanked"),
    [
        ("y ~ x # (", "y ~ x    "),
        ("y ~ '#' # '", "y ~ '#'    "),
        ("y ~ (x\n)", "y ~ (x )"),
        ("y ~ x +\nz", "y ~ x + z"),
        ("y ~ x\n+ z", "y ~ x + z"),
        ("y ~ x +\n\n\nz", "y ~ x +   z"),
        ("y ~ x # a\n + z", "y ~ x      + z"),
        ("y ~ x\nb ~ z", "y ~ x\nb ~ z"),
        ("y ~ `a\nb`\nb ~ z", "y ~ `a\nb`\nb ~ z"),
    ],
)
def test_newlines_and_comments_become_blanks(text: str, blanked: str) -> None:
    """A newline ends a statement only where the statement can end, and every character keeps its place."""
    assert scan(text) == blanked
    assert len(blanked) == len(text)


def test_the_grammar_is_at_hand() -> None:
    """The grammar file is found beside the sources or in the installed package."""
    assert "formula:" in grammar_text()
