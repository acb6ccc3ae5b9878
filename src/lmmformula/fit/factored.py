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

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the kernel."""
        return self.kernel.names

    @property
    def scale(self) -> float:  # type: ignore[override]
        """That of the kernel."""
        return self.kernel.scale

    def at(self, eta: FloatArray, psi: FloatArray) -> Rows:
        """Evaluate it."""
        rows, w = self.kernel.at(eta, psi), self.factors
        own = tuple(Own(w * one.loglik, w * one.score, w * one.weight) for one in rows.own)
        return Rows(w * rows.loglik, w * rows.score, w * rows.observed, w * rows.weight, w * rows.slope, own)

    def predictor(self) -> FloatArray:
        """Return that of the kernel."""
        return self.kernel.predictor()

    def start(self) -> FloatArray:
        """Return that of the kernel."""
        return self.kernel.start()
