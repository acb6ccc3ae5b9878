"""A session without a terminal: what each line says and does."""

import subprocess
import sys
from pathlib import Path

import pytest

import lmmformula as lf
from corpus import dataset
from lmmformula.repl.commands import COMMANDS, Quit
from lmmformula.repl.plain import run_lines
from lmmformula.repl.session import Session
from lmmformula.repl.state import data_from

FORMULA = "Reaction ~ Days + (Days | Subject)"


def session_of(*lines: str) -> Session:
    """Make a session of the sleep study in which all lines succeed."""
    session = Session(data_from("sleepstudy"))
    for line in lines:
        reply = session.run(line)
        assert not reply.failed, reply.text
    return session


def last(*lines: str) -> str:
    """What the last of several lines says."""
    return str(session_of(*lines[:-1]).run(lines[-1]))


SAYS = [
    ([":family"], "gaussian(identity): mean = linear predictor; own parameters sigma; methods REML"),
    ([":family poisson"], "the family is poisson(log)"),
    ([":weights Days"], "the weights are `Days`"),
    ([":weights"], "there are no weights"),
    ([":data"], "Reaction (numeric), Days (numeric), Subject (factor, 18 levels)"),
    ([":columns"], "Subject   factor, 18 levels        0  308, 309, 310, ...  can group"),
    ([":head 2"], "1   258.70    1     308"),
    ([FORMULA], "2 fixed effects ((Intercept), Days); for each of 18 levels\nof Subject 2 random"),
    ([":data Machines", "score ~ Machine + cs(0 + Machine | Worker, hom = TRUE)", ":terms"], "k=3, 2 parameters: "),
    ([FORMULA, ":terms"], "Subject: 18 levels, k=2, 3 parameters: (Intercept), Days, correlated"),
    ([FORMULA, ":explain"], "Random effects: 36 in all"),
    ([FORMULA, ":X 1"], "X: 180 x 2\n  (Intercept) Days\n0           1    0"),
    ([FORMULA, ":Z 1"], "  Subject (Intercept) Days\n0     308           1    0"),
    ([FORMULA, ":eq"], "Reaction = β1 + β2·Days + b1[Subject] + b2[Subject]·Days + ε"),
    ([FORMULA, ":eq latex"], r"\begin{aligned}"),
    ([FORMULA, ":ast"], "    lhs: Name 'Reaction'"),
    ([FORMULA, ":ir"], "  random: RandomTerm intercept"),
    ([FORMULA, ":fit"], "REML criterion at convergence: 1743.6"),
    ([FORMULA, ":fit ml"], "fit by maximum likelihood"),
    ([":fit Reaction ~ Days + (1 | Subject)"], "REML criterion at convergence: 1786.5"),
    ([":fit ml Reaction ~ Days + (1 | Subject)"], "fit by maximum likelihood"),
    ([FORMULA, ":summary"], "t-tests use Satterthwaite's method"),
    ([FORMULA, ":confint"], "95 % intervals (Wald)"),
    ([FORMULA, ":anova"], "Type III analysis of variance"),
    ([FORMULA, ":anova I"], "Type I analysis of variance"),
    ([FORMULA, ":ranef"], "Subject, 18 levels"),
    ([FORMULA, ":ranef Subject"], "and 8 more"),
    ([FORMULA, ":predict"], "0       253.664"),
    ([FORMULA, ":predict Days=3 Subject=308"], "312.662 (with the random effects of its levels)"),
    ([FORMULA, ":predict Days=3"], "282.807 (random effects at zero)"),
    ([FORMULA, ":predict Days=3, Subject='308'"], "312.662"),
    (["# a remark"], ""),
    ([FORMULA, ":predict Days=3 Subject=new"], "282.807 (with the random effects of its levels)"),
    ([FORMULA, ":stan"], "generated quantities {"),
    ([FORMULA, "sd ~ exponential(0.01)", ":priors"], "sd[Subject, Days]         exponential(0.01)"),
    ([FORMULA, ":prior b[Days] ~ normal(0, 5)"], "prior: b[Days] ~ normal(0, 5)"),
    ([FORMULA, "sd ~ exponential(0.01)", ":prior clear"], "all priors are the defaults again"),
    ([FORMULA, ". ~ . - (Days | Subject) + (1 | Subject)"], "1 random effect ((Intercept)). 4 parameters in all."),
    ([FORMULA, "~ . - Days"], "1 fixed effect ((Intercept))"),
    ([FORMULA, ":optimize seed=1"], "Posterior mode of Reaction ~ Days + (Days | Subject)"),
    ([FORMULA, ":emmeans Days"], "Marginal means"),
    ([FORMULA, ":simplify"], "to leave out first: Days in (Days | Subject); the data support it least"),
    ([FORMULA, ":history"], f"1. {FORMULA}"),
    ([":help"], ":simplify [drop]"),
    ([":help :undo"], "back to the model before the last change"),
    (["", "   "], ""),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "expected"), SAYS)
def test_what_lines_say(lines: list[str], expected: str) -> None:
    """Each command prints what it is there for."""
    assert expected in last(*lines)


FAILS = [
    ([":fit"], "there is no model yet"),
    ([":nonsense"], "there is no command `:nonsense`"),
    ([":fti"], "did you mean :fit?"),
    ([":s"], "there is no command `:s`\ndid you mean :summary or :stan or :sample or :simplify or :save or :script?"),
    (["Reaction ~ Dayz"], "Reaction ~ Dayz\n               ^^^^\ndid you mean 'Days'?"),
    ([FORMULA, "b[Dayz] ~ normal(0, 5)"], "the model has no `b[Dayz]`\nit has b[(Intercept)], b[Days]"),
    ([FORMULA, "sd ~ exponentail(1)"], "did you mean `exponential`?"),
    ([FORMULA, "b[Days ~ normal(0, 5)"], "`[` is opened and never closed"),
    ([":plot foo"], "there is no picture `foo`\nthe kinds are: fit, ranef, residuals"),
    ([":family weibull"], "the family 'weibull' is not supported yet"),
    ([":family inverse.gaussian"], "the family 'inverse.gaussian' is not supported yet"),
    ([":family binomial(log)"], "its links are: logit, probit, cloglog"),
    ([FORMULA, ":weights Subject"], "weights: a factor stands where numbers are needed"),
    ([FORMULA, ":weights Days"], "weights must be positive and finite"),
    ([FORMULA, ":weights Dayz"], "weights: no column named 'Dayz'"),
    ([FORMULA, "shape ~ exponential(1)"],
     "the model has no `shape` in the family gaussian(identity)\nit has sigma"),
    ([FORMULA, "cutpoint ~ normal(0, 1)"], "the model has no `cutpoint`"),
    ([FORMULA, ":fit nagq=9"], "a gaussian likelihood needs no quadrature"),
    ([FORMULA, ":loo"], "the model was not sampled yet"),
    ([FORMULA, ":confint hdi"], "the model was not sampled yet"),
    ([FORMULA, ":sample chains"], "can't read `chains`"),
    ([FORMULA, ":sample draws=9 engin=stanli"], "there are: draws, chains, warmup, thin"),
    ([FORMULA, ":optimize chains=2"], "can't read `chains=2`"),
    ([FORMULA, ":emmeans"], "means of which factors?"),
    ([FORMULA, ":emmeans Dayz"], "Dayz"),
    ([":load"], "which file?"),
    ([":load nothing.json"], "can't read nothing.json"),
    ([FORMULA, ":compare"], "the model was not sampled yet"),
    ([FORMULA, ":diff"], "there is no other model of these data to compare with"),
    ([FORMULA, ":anova IV"], "there is no analysis of variance of type `IV`"),
    ([FORMULA, ":confint magic"], "there are no intervals by 'magic'"),
    ([FORMULA, ":plot traces"], "the model was not sampled yet"),
    ([FORMULA, ":ranef Day"], "`Day` is not a grouping factor of the model\nthey are: Subject"),
    ([FORMULA, ":predict Days"], "there is no file and no data set 'Days'"),
    ([FORMULA, ":predict Days=many"], "`Days` is numeric, and `many` no number"),
    ([FORMULA, ":predict Days="], "`Days=` is no value"),
    ([FORMULA, ":predict Days='1"], "a quote is opened and never closed"),
    ([FORMULA, ":predict Dayz=1"], "no column named 'Dayz'"),
    ([FORMULA, ":sample many"], "can't read `many`"),
    ([FORMULA, ":sample 0"], "can't read `0`"),
    ([FORMULA, ":sample 10 engine=fast"], "fast"),
    ([FORMULA, ":save fit.docx"], "what is saved depends on the file's name"),
    ([FORMULA, ":stan missing/folder/a.stan"], "No such file or directory"),
    ([":head none"], "`none` is not a number of rows"),
    ([":data missing.csv"], "can't read the data 'missing.csv'"),
    ([":data sleepstudi"], "did you mean 'sleepstudy'"),
    ([":undo"], "there is nothing to undo"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "expected"), FAILS)
def test_what_goes_wrong(lines: list[str], expected: str) -> None:
    """A failed line says why, and leaves the session as it was."""
    session = session_of(*lines[:-1])
    before = session.state
    reply = session.run(lines[-1])
    assert reply.failed
    assert reply.text.startswith("error: ")
    assert expected in reply.text
    assert session.state.ir is before.ir
    assert session.state.priors == before.priors


def test_without_data_formulas_are_still_read() -> None:
    """And data that come later take the formula."""
    session = Session()
    assert "no data yet" in session.run(FORMULA).text
    assert session.run(":ir").text.startswith("ModelIR")
    assert "there are no data yet" in session.run(":fit").text
    assert "sd ~ exponential(1)" in session.run("sd ~ exponential(1)").text
    assert "6 parameters" in session.run(":data sleepstudy").text.replace("\n", " ")
    assert session.state.model is not None


def test_a_model_that_does_not_fit_new_data_is_given_up() -> None:
    """It has no meaning there."""
    session = session_of(FORMULA, ":data coffee")
    assert session.state.ir is None
    assert session.run(":undo").text == FORMULA


def test_data_that_the_model_cannot_use_are_taken_without_it(tmp_path: Path) -> None:
    """The columns are there, but one group is no grouping factor."""
    dataset("sleepstudy").head(10).to_csv(tmp_path / "one.csv", index=False)
    session = session_of(FORMULA)
    reply = session.run(f":data {tmp_path / 'one.csv'}")
    assert "the model does not fit these data: the grouping factor 'Subject' has only one level" in reply.text
    assert "there is no model yet" in session.run(":fit").text


def test_priors_belong_to_the_model_until_changed() -> None:
    """They follow it through changes; those of coefficients that are gone are given up, and that is said."""
    session = session_of(FORMULA, "b[Days] ~ normal(0, 5)", "sd ~ exponential(1)", "sd ~ exponential(2)")
    assert list(map(str, session.state.priors)) == ["b[Days] ~ normal(0, 5)", "sd ~ exponential(2)"]
    reply = session.run("Reaction ~ 1 + (1 | Subject)")
    assert "prior given up, since the model has no such parameter: b[Days] ~ normal(0, 5)" in reply.text
    assert list(map(str, session.state.priors)) == ["sd ~ exponential(2)"]
    assert "exponential" in session.run(":stan").text


def test_priors_leave_the_fit_alone() -> None:
    """REML knows no priors."""
    session = session_of(FORMULA, ":fit")
    fit = session.state.fit
    session.run("sd ~ exponential(1)")
    assert session.state.fit is fit


@pytest.mark.parametrize("line", ["help", "?", "help()", ":?", "help fit", ":help"])
def test_help_is_answered_without_a_colon(line: str) -> None:
    """And so is the end of the session; but a response may have these names."""
    assert ":fit [reml|ml|nagq=9] [FORMULA]" in Session().run(line).text


@pytest.mark.parametrize("line", ["quit", "exit", "quit()", "q", ":exit", ":q"])
def test_the_session_ends_in_any_words(line: str) -> None:
    """As in R, in Python and in a shell."""
    with pytest.raises(Quit):
        Session().run(line)
    assert not Session().run("exit ~ x").failed


def test_what_was_undone_stays_in_the_history() -> None:
    """It is marked there, with what was known of it; it is not in the script, which a file can keep."""
    session = session_of(FORMULA, "~ . - Days", ":fit", ":undo")
    lines = session.run(":history").text.split("\n")
    assert lines[0] == f"1. {FORMULA}"
    assert lines[1].startswith("2. Reaction ~ 1 + (Days | Subject)   AIC")
    assert lines[1].endswith("   (undone)")
    session.run(". ~ . + I(Days^2)")
    session.run(":undo")
    assert session.run(":history").text.endswith("3. Reaction ~ Days + I(Days^2) + (Days | Subject)   (undone)")
    assert "fit" not in session.run(":script").text


def test_the_script_goes_to_a_file(tmp_path: Path) -> None:
    """Under the name that is given."""
    session = session_of(FORMULA)
    assert session.run(f":script {tmp_path / 'mine.py'}").text.startswith("written: ")
    assert (tmp_path / "mine.py").read_text(encoding="utf-8").strip() == session.run(":script").text


def test_undo_goes_back_model_by_model() -> None:
    """With fit and priors as they were."""
    session = session_of(FORMULA, ":fit", "sd ~ exponential(1)", "~ . - Days")
    assert session.run(":undo").text == f"{FORMULA}\nsd ~ exponential(1)"
    assert session.run(":undo").text == FORMULA
    assert session.state.fit is not None
    assert session.run(":undo").text.startswith("sleepstudy: 180 rows")
    assert session.run(":undo").failed


def test_diff_compares_with_the_model_before() -> None:
    """Terms that came and went, the likelihood ratio, and the change of each fixed effect."""
    text = last(FORMULA, ":fit", ". ~ . - (Days | Subject) + (1 | Subject)", ":diff")
    assert "  - (Days | Subject)\n  + (1 | Subject)" in text
    assert "42.139" in text
    assert "Days           10.467   10.467" in text


def test_simplify_finds_the_term_of_no_variance() -> None:
    """And drops it on demand."""
    session = Session(data_from("Dyestuff2"))
    session.run("Yield ~ 1 + (1 | Batch)")
    assert "its variance is zero or nearly so" in session.run(":simplify").text
    assert "without (1 | Batch)" in session.run(":simplify drop").text
    assert session.state.need_ir().random == ()


def test_sampling_and_comparing(tmp_path: Path) -> None:
    """A posterior beside the fit, as text and as a picture."""
    session = session_of(FORMULA, ":sample 100 seed=1 warmup=200 chains=2")
    assert "2 chains of 100 draws, seed 1" in str(session.state.posterior)
    assert "REML beside the posterior" in session.run(":compare").text
    pytest.importorskip("matplotlib")
    for kind in ("", "ranef ", "traces ", "compare "):
        path = tmp_path / f"{kind.strip()}a.png"
        assert session.run(f":plot {kind}{path}").text == f"written: {path}"
        assert path.read_bytes()[:4] == b"\x89PNG"


def test_saving(tmp_path: Path) -> None:
    """Script, estimates, fit, posterior and program, by the ending of the file's name."""
    session = session_of(FORMULA)
    for name in ("a.py", "a.csv", "a.json", "a.stan"):
        assert not session.run(f":save {tmp_path / name}").failed
        assert (tmp_path / name).stat().st_size > 0
    assert (tmp_path / "a.data.json").exists()
    assert lf.load(tmp_path / "a.json").data_name == "sleepstudy"
    assert session.run(f":save {tmp_path / 'a.nc'}").failed  # nothing was sampled yet
    session.run(":sample 50 seed=1 chains=1 warmup=100")
    assert not session.run(f":save {tmp_path / 'a.nc'}").failed
    assert isinstance(lf.load(tmp_path / "a.nc"), lf.Posterior)


def test_the_script_does_the_same(tmp_path: Path) -> None:
    """Run by Python, it fits the same models and prints the same numbers."""
    dataset("sleepstudy").to_csv(tmp_path / "sleep.csv", index=False)
    lines = [f":data {tmp_path / 'sleep.csv'}", "Reaction ~ Days +\n (Days | Subject)", "sd ~ exponential(1)",
             ":fit", ":summary", ":confint", ":anova", ":simplify", ":predict Days=3", "~ . - Days", ":fit ml",
             ":diff", ":stan"]  # fmt: skip
    script = last(*lines, ":script")
    assert script.startswith("import pandas as pd\nimport lmmformula as lf\n")
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert run.stderr == ""
    assert "282.80" in run.stdout
    assert "generated quantities" in run.stdout


def test_an_interrupt_stops_a_fit_and_not_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control-C while fitting is a reply."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    session = session_of(FORMULA)
    monkeypatch.setattr(lf.Model, "fit", interrupted)
    reply = session.run(":fit")
    assert (reply.text, reply.failed) == ("interrupted", True)
    assert session.state.ir is not None


def test_warnings_are_part_of_the_reply() -> None:
    """Once each, without the place in our source."""
    reply = session_of().run("Reaction ~ Days + I(2 * Days)")
    assert reply.warnings == ("the fixed effects are linearly dependent: 1 of 3 columns dropped: `I(2 * Days)`",)
    assert str(reply).startswith("warning: the fixed")


def test_quit() -> None:
    """By its name or the beginning of it."""
    for line in (":quit", ":q"):
        with pytest.raises(Quit):
            session_of().run(line)


def test_every_command_has_help() -> None:
    """One line each; the table is what `:help` prints."""
    text = last(":help")
    assert all(f"\n:{name}" in text and command.about in text for name, command in COMMANDS.items())


def test_a_pipe(tmp_path: Path) -> None:
    """Plain text on stdout, no escape codes, errors on stderr, and an exit code."""
    dataset("sleepstudy").to_csv(tmp_path / "data.csv", index=False)
    command = [sys.executable, "-m", "lmmformula", "repl", str(tmp_path / "data.csv")]

    def piped(text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False)

    good = piped(":fit Reaction ~ Days + (1|Subject)\n")
    assert (good.returncode, good.stderr) == (0, "")
    assert "REML criterion at convergence: 1786.5" in good.stdout
    assert "\x1b" not in good.stdout
    bad = piped("Reaction ~ Dayz\n:data\n")
    assert bad.returncode == 1
    assert "did you mean 'Days'?" in bad.stderr
    assert bad.stdout.startswith("data.csv: 180 rows")


def test_lines_belong_together_until_they_are_complete(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty line, a command or the end ends what is open."""
    lines = [
        "Reaction ~ Days +",
        "(1",
        "",
        "Reaction ~ Days + (1",
        "| Subject)  # slopes",
        "# a remark",
        ":quit",
        ":fit",
    ]
    assert run_lines(session_of(), lines, sys.stdout, sys.stderr) == 1
    captured = capsys.readouterr()
    assert "`(` is opened and never closed" in captured.err
    assert "1 random effect ((Intercept))" in captured.out
    assert "REML" not in captured.out


def test_text_files_are_read_as_is_said(tmp_path: Path) -> None:
    """Semicolons are found out and told; the words for a missing value can be named behind the file."""
    path = tmp_path / "a b.csv"
    path.write_text("y;f\n1,5;-\n2;NA\n3;null\n4,5;null\n")
    session = Session()
    first = str(session.run(f":data {path}"))
    assert first.startswith("a b.csv: 4 rows, 2 columns (columns are separated by ';', decimals by ',')\ny (numeric)")
    assert "2 levels" in first
    assert "2 levels" in str(session.run(f":data {path} sep=; na=-"))
    assert "1 level" in str(session.run(f":data {path} na=-,NA"))
    assert "na_values=['', '-', 'NA']" in str(session.run(":script"))
    assert "sep is" in str(session.run(f":data {path} sep=;;"))


def test_factors_of_the_log_density_are_given_as_weights_are() -> None:
    """They are used, told, undone, and written into the script."""
    session = session_of(":loglik_weights Reaction", "Days ~ 1 + (1 | Subject)", ":fit")
    assert session.state.need_model().design.has_loglik_weights
    assert "loglik_weights='Reaction'" in str(session.run(":script"))
    assert "loglik_weights Reaction" in str(session.run(":history"))
    assert str(session.run(":loglik_weights")) == "the loglik_weights are `Reaction`"
    assert not session.run(":loglik_weights none").failed
    assert not session.state.need_model().design.has_loglik_weights
    assert str(session.run(":undo")).endswith(", loglik_weights Reaction")
    assert session.run(":loglik_weights Subject").failed


@pytest.mark.parametrize("name", sorted(name for name, command in COMMANDS.items() if not command.usage))
def test_what_takes_no_argument_says_so(name: str) -> None:
    """An argument is not silently forgotten."""
    reply = session_of(FORMULA).run(f":{name} kenward-roger")
    assert reply.failed
    assert f"`:{name}` takes no argument" in reply.text


ELSEWHERE = {":AIC": ":fit", ":pairs f": ":emmeans", ":diagnostics": ":sample", ":names": ":columns", ":back": ":undo"}


def test_commands_of_other_programs_are_answered() -> None:
    """By that which does it here."""
    for line, ours in ELSEWHERE.items():
        assert f"did you mean {ours}?" in str(Session().run(line))


ARGUMENTS = ["", "wibble", "-1", "nan", "b ~", "'", "(((", "=", "\x00", "Days", "1e99"]
QUICK = [name for name in COMMANDS if name not in ("quit", "sample", "optimize", "save", "script", "plot", "stan")]


@pytest.mark.filterwarnings("ignore::lmmformula.FitWarning")
@pytest.mark.parametrize("before", [[], [":data sleepstudy"], [":data sleepstudy", "Reaction ~ Days + (1 | Subject)"]])
def test_no_command_lets_an_exception_out(before: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands behind it, before there is a model and after; no sentence is wider than the screen."""
    monkeypatch.setenv("COLUMNS", "60")
    for name in QUICK:
        for argument in ARGUMENTS:
            session = Session()
            for line in before:
                session.run(line)
            reply = str(session.run(f":{name} {argument}"))
            wide = [line for line in reply.split("\n") if len(line) > 60 and not line.startswith(("    ", "\\"))]
            assert not wide, name
