"""Every tolerance of a fit in one record, and the log that a fit keeps."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OptimizerSettings:
    """
    Knobs of the trust-region Newton method. Deviances are -2 log likelihoods, so 1e-9 of one is far below any use.

    max_evaluations : give up after this many points
    exact_after : where second derivatives are average information, compute exact ones after this many points
    stop_decrease : stop when the quadratic model promises less than this much deviance ...
    stop_decrease_relative : ... or less than this part of the criterion, where rounding drowns it
    rounding : changes of the criterion below this part of it count as none
    accept_ratio : least ratio of actual to predicted decrease at which a step is taken
    tiny_radius : part of the parameters' size below which a ball has been shrunk by rejected steps, not by curvature
    first_radius, max_radius : trust region, in units of standard deviations relative to sigma
    shrink_below, expand_above : ratios that shrink or expand the trust region
    shrink_factor, expand_factor : by how much
    zero_deviation : relative standard deviation (columns of unit mean square) below which zero itself is tried
    singular_deviation : relative standard deviation that counts as singular in the verdict, as lme4's isSingular
    gradient_tolerance : largest predicted decrease left at the end with which a fit still counts as converged
    """

    max_evaluations: int = 200
    exact_after: int = 10
    stop_decrease: float = 1e-9
    stop_decrease_relative: float = 1e-13
    rounding: float = 1e-12
    accept_ratio: float = 1e-4
    tiny_radius: float = 1e-4
    first_radius: float = 1.0
    max_radius: float = 1e6
    shrink_below: float = 0.25
    expand_above: float = 0.75
    shrink_factor: float = 0.25
    expand_factor: float = 3.0
    zero_deviation: float = 1e-3
    singular_deviation: float = 1e-4
    gradient_tolerance: float = 1e-5


@dataclass(frozen=True, slots=True)
class Step:
    """
    One evaluation.

    criterion : its value, in inner coordinates
    predicted : decrease that the quadratic model at this point still promises
    radius : of the trust region in which the next step was sought
    accepted : whether the point became the current one
    """

    criterion: float
    predicted: float
    radius: float
    accepted: bool


@dataclass(frozen=True, slots=True)
class OptimizerLog:
    """
    What the optimiser did.

    strategy : which elimination was used, and why
    steps : every evaluation with derivatives, the start first
    reason : why it stopped
    converged : whether that was because nothing was left to gain
    """

    strategy: str = ""
    steps: tuple[Step, ...] = ()
    reason: str = ""
    converged: bool = True

    @property
    def evaluations(self) -> int:
        """Number of points at which the criterion and its derivatives were computed."""
        return len(self.steps)

    def __str__(self) -> str:
        """Return one line per evaluation."""
        lines = [self.strategy] if self.strategy else []
        lines += [
            f"{i:4d}  criterion {s.criterion:.10g}  predicted decrease {s.predicted:.2e}  radius {s.radius:.2g}"
            + ("" if s.accepted else "  (rejected)")
            for i, s in enumerate(self.steps)
        ]
        return "\n".join([*lines, self.reason])
