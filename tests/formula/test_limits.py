import pytest

from lmmformula.errors import FormulaError
from lmmformula.formula.parse import parse_text
from lmmformula.ir.lower.model import lower

MANY = 100_000
MANY_RANDOM = "more than 1,000 random-effects terms, or too large ones"
SUM = " + ".join(f"v{i}" for i in range(9_000))
LETTERS = [f"v{i}" for i in range(20)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y ~ " + "(" * MANY + "x" + ")" * MANY, "brackets more than 100 deep"),
        ("y ~ " + "(" * 90_000, "brackets more than 100 deep"),
        ("y ~ " + "f(" * 50_000 + "x" + ")" * 50_000, "brackets more than 100 deep"),
        ("y ~ " + "x + " * MANY + "x", "a formula of 400,005 characters: the limit is 250,000"),
        ("y ~ " + "x+" * MANY + "x", "a formula of more than 50,000 names and operators"),
        ("y ~ " + "- " * 40_000 + "x", "expressions nested more than 100 deep"),
        ("y ~ " + "!" * 40_000 + "x", "expressions nested more than 100 deep"),
        ("y ~ " + "x^" * 20_000 + "2", "expressions nested more than 100 deep"),
        ("y ~ I(" + "x + " * 10_000 + "x)", "more than 200 operations inside one another"),
        ("y ~ " + "x" * 1_000_000, "a formula of 1,000,004 characters: the limit is 250,000"),
        (f"y ~ ({' + '.join(LETTERS)})^20", "the formula expands to more than 20,000 terms"),
        (f"y ~ {' * '.join(LETTERS)}", "the formula expands to more than 20,000 terms"),
        (f"y ~ (1 | g) + ({' * '.join(LETTERS)} | g)", "the formula expands to more than 20,000 terms"),
        (
            "y ~ " + " + ".join(f"({' * '.join(LETTERS[:13])})" for _ in range(1000)),
            "the formula expands to more than 20,000 terms",
        ),
        (f"y ~ .{' - x + z' * 300}", "a `.` among too many other terms"),
        ("y ~ " + " + ".join(f"(1 | g) + ({' * '.join(LETTERS[:13])} | g)" for _ in range(1000)), MANY_RANDOM),
        ("y ~ (" + " + ".join(f"v{i}" for i in range(2000)) + " || g)", "more than 1,000 random-effects terms"),
        ("y ~ (1 | " + "/".join(f"v{i}" for i in range(2000)) + ")", "more than 32 columns in a grouping factor"),
        ("y ~ (1 | " + ":".join(f"v{i}" for i in range(2000)) + ")", "more than 32 columns in a grouping factor"),
        (f"y ~ ({SUM}):({SUM.replace(' + ', ':')})", "an interaction of more than 32 variables"),
        ("y ~ (" * 1 + "(" * 95 + SUM + " + (1 | g)" + ")" * 95 + ")^2", "a random-effects term can only be added"),
        ("y ~ " + "`" + "a" * 300_000 + "`", "a formula of 300,006 characters: the limit is 250,000"),
    ],
)
def test_what_is_too_large_is_refused(text: str, message: str) -> None:
    """Sizes are refused by one clear message, before work or memory is spent, and without a RecursionError."""
    with pytest.raises(FormulaError) as caught:
        lower(parse_text(text))
    assert caught.value.message == message
    assert len(str(caught.value)) < 1000


def test_long_sums_are_fine() -> None:
    """Ten thousand terms parse and expand: sums are flat, however long."""
    names = [f"v{i}" for i in range(10_000)]
    assert len(lower(parse_text(f"y ~ {' + '.join(names)}")).fixed.terms) == len(names)
    few = names[:1000]
    assert len(lower(parse_text(f"y ~ 0 {''.join(f' + {n} - {n}' for n in few)}")).fixed.terms) == 0


@pytest.mark.filterwarnings("ignore:outside I")
@pytest.mark.parametrize("text", ["y ~ x^99999999", "y ~ (a + b)^99999999", "y ~ I(9**9**9)", "y ~ 9 * x^2 - 9 * x^2"])
def test_large_numbers_cost_nothing(text: str) -> None:
    """A power stops as soon as another factor adds nothing, and arithmetic waits for the data."""
    try:
        lower(parse_text(text))
    except FormulaError as error:
        assert "can't be a term" in error.message  # noqa: PT017 (either is fine)


def test_long_calls_are_fine() -> None:
    """A call of ten thousand arguments is matched as fast as it is read."""
    numbers = ", ".join(map(str, range(10_000)))
    (term,) = lower(parse_text(f"y ~ cut(x, c({numbers}))")).fixed.terms
    assert term.label == f"cut(x, c({numbers}))"


def test_ninety_brackets_are_fine() -> None:
    """What a person or a program may reasonably nest is accepted by every stage."""
    ir = lower(parse_text("y ~ " + "(" * 90 + "x" + ")" * 90 + " + I(" + "(x + " * 45 + "1" + ")" * 45 + ")"))
    assert lower(parse_text(str(ir))) == ir
    assert type(ir).from_dict(ir.to_dict()) == ir
