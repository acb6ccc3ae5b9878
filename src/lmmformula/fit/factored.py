"""A log density whose rows have factors."""

from dataclasses import dataclass

from lmmformula.arrays import FloatArray
from lmmformula.fit.kernels import Kernel, Own, Rows


@dataclass(slots=True)
class Factored(Kernel):
    """
    The log density of each row times a factor, and so all its derivatives.

    factors : (n,)
    """

    kernel: Kernel
    factors: FloatArray

    def __post_init__(self) -> None:
        self.names, self.scale, self.farthest = self.kernel.names, self.kernel.scale, self.kernel.farthest
        self.terms = self.kernel.terms * float(self.factors.max(initial=1.0))
        self.mirrored = self.kernel.mirrored

    def at(self, eta: FloatArray, psi: FloatArray) -> Rows:
        """Evaluate it."""
        return self._times(self.kernel.at(eta, psi))

    def expected(self, rows: Rows, eta: FloatArray, psi: FloatArray) -> Rows:
        """Return rows with the curvature that is expected of the response."""
        plain = self.kernel.at(eta, psi)
        found = self.kernel.expected(plain, eta, psi)
        return rows if found is plain else self._times(found)

    def positive(self, rows: Rows, eta: FloatArray, psi: FloatArray) -> FloatArray:  # noqa: ARG002 (from its own)
        """Return weights for steps towards a mode."""
        return self.factors * self.kernel.positive(self.kernel.at(eta, psi), eta, psi)

    def predictor(self) -> FloatArray:
        """Return that of the kernel."""
        return self.kernel.predictor()

    def start(self) -> FloatArray:
        """Return that of the kernel."""
        return self.kernel.start()

    def again(self, eta: FloatArray, psi: FloatArray) -> FloatArray:
        """Return that of the kernel."""
        return self.kernel.again(eta, psi)

    def _times(self, rows: Rows) -> Rows:
        w = self.factors
        own = tuple(Own(w * one.loglik, w * one.score, w * one.weight) for one in rows.own)
        return Rows(w * rows.loglik, w * rows.score, w * rows.weight, w * rows.slope, own)
