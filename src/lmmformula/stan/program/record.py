"""A Stan program as data: what fills its blocks, apart from its text (terms/) and names in the model."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from lmmformula.covariances.structure import Covariance
from lmmformula.covariances.table import STRUCTURES
from lmmformula.families.stan_words import StanWords
from lmmformula.families.table import FAMILIES
from lmmformula.stan.program.words import Declaration, Number, Statement

Form = Literal["conditional", "marginal"]
DataForm = Literal["rows", "crossproducts"]
Treatment = Literal["integrated", "centered", "sum_to_zero", "noncentered"]


EARLIEST = (2, 33)
"""The first version of Stan that reads the programs."""
SUM_TO_ZERO = (2, 36)
"""The first that has a `sum_to_zero_vector`."""


@dataclass(frozen=True, slots=True)
class Covariate:
    """
    The values that a random coefficient multiplies.

    label : the coefficient's name
    text : "" for a column of ones, else the Stan expression of the column: a column of X or a vector of the data block
    fixed : number of the fixed effect of the same values, from 1 for b[1]; 0 for the intercept, -1 for none
    """

    label: str
    text: str
    fixed: int


@dataclass(frozen=True, slots=True)
class Block:
    """
    The coefficients of one random term within its factor: columns `start` to `stop` (from 1, both included).

    term : its position in the design's random terms
    sd : identifier of its own standard deviations, where the factor's are put together from those of its blocks
    correlation : identifier of its Cholesky factor or of what that is made of; "" where nothing is correlated
    """

    term: int
    start: int
    stop: int
    covariance: Covariance
    sd: str
    correlation: str

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return self.stop - self.start + 1


@dataclass(frozen=True, slots=True)
class Factor:
    """
    A grouping factor with all its random terms: k coefficients for each of its levels.

    suffix : of all its identifiers
    n_levels : number of levels in these data, for comments
    treatment : integrated out, or sampled: as coefficients around fixed effects; as their means and deviations that
        sum to zero, so that the means of crossed factors are free of each other; or as standardised effects
    carried : for each coefficient the number of the fixed effect (as in `Covariate`) that its centred effects vary
        around, -1 where that is zero
    """

    label: str
    suffix: str
    n_levels: int
    covariates: tuple[Covariate, ...]
    blocks: tuple[Block, ...]
    treatment: Treatment
    carried: tuple[int, ...]

    @property
    def k(self) -> int:
        """Number of random coefficients of each level."""
        return len(self.covariates)

    @property
    def height(self) -> str:
        """The number of its random effects, as Stan text."""
        return f"{self.k} * {self.name('N')}" if self.k > 1 else self.name("N")

    @property
    def integrated(self) -> bool:
        """Whether its random effects are integrated out."""
        return self.treatment == "integrated"

    @property
    def ones(self) -> bool:
        """Whether its only coefficient is an intercept."""
        return self.k == 1 and not self.covariates[0].text

    @property
    def correlated(self) -> bool:
        """Whether there is a Cholesky factor L of the coefficients' correlations."""
        return any(block.correlation for block in self.blocks)

    @property
    def sd_from_blocks(self) -> bool:
        """Whether the standard deviations are put together from those of its blocks, some of which have but one."""
        return any(block.covariance.homogeneous for block in self.blocks)

    @property
    def L_from_blocks(self) -> bool:
        """Whether L is put together, not a parameter itself."""
        return self.correlated and (len(self.blocks) > 1 or bool(self.blocks[0].covariance.stan_function))

    @property
    def mean_of_intercepts(self) -> str:
        """The mean over levels of its random intercepts, "" if it has none."""
        column = next((i for i, covariate in enumerate(self.covariates, 1) if not covariate.text), 0)
        if not column:
            return ""
        return f"mean({self.name('u')})" if self.k == 1 else f"mean({self.name('u')}[ : , {column}])"

    @property
    def carries_intercept(self) -> bool:
        """Whether its centred coefficients vary around the intercept."""
        return 0 in self.carried

    @property
    def simple(self) -> bool:
        """Whether its centred effects are parameters themselves, around zero."""
        return self.treatment == "centered" and set(self.carried) == {-1}

    def root(self, divisor: str = "") -> str:
        """Write a root of the covariance matrix of its coefficients, that of sd / divisor: diag(sd) * L."""
        sd = self.name("sd") + divisor
        return f"diag_pre_multiply({sd}, {self.name('L')})" if self.correlated else f"diag_matrix({sd})"

    def name(self, prefix: str) -> str:
        """Return the identifier of one of its quantities: `sd_group`."""
        return f"{prefix}_{self.suffix}"


@dataclass(frozen=True, slots=True)
class Section:
    """
    The prior statements of the population level, of one grouping factor, or of the residual.

    factor : the grouping factor, whose effects are distributed here too unless they are integrated out
    """

    title: str
    statements: tuple[Statement, ...]
    factor: Factor | None = None


@dataclass(frozen=True, slots=True)
class Cross:
    """
    The products of the random-effects columns of two factors, summed over rows.

    parent : identifier of the level of `right` that holds each level of `left`, if each is held by one and both factors
        have one coefficient: then one product for each level of `left` is all; "" otherwise
    name : identifier of the products: a matrix, `left`'s columns in rows, or a vector
    """

    left: Factor
    right: Factor
    name: str
    parent: str


@dataclass(frozen=True, slots=True)
class Fixed:
    """
    The fixed effects.

    intercept : whether there is one; if so X is used around its means
    labels : names of the columns of X without the intercept
    columns : positions of those columns, and of the intercept (or -1), in the design's X
    categories : of an ordinal response, whose cutpoints stand in the place of an intercept
    own : for each column of X what part of its spread the others don't explain
    """

    intercept: bool
    labels: tuple[str, ...]
    columns: tuple[int, ...]
    intercept_column: int
    categories: tuple[str, ...] = ()
    own: tuple[float, ...] = ()

    @property
    def K(self) -> int:
        """Number of columns of X."""
        return len(self.labels)

    @property
    def centred(self) -> bool:
        """Whether X is used around its means, at which the intercept or the cutpoints stand."""
        return self.K > 0 and (self.intercept or bool(self.categories))

    @property
    def cutpoints(self) -> tuple[str, ...]:
        """Names of the cutpoints: the categories on both sides of each, `low|mid`."""
        return tuple(f"{below}|{above}" for below, above in pairwise(self.categories))

    @property
    def cutpoint_name(self) -> str:
        """The parameter of the cutpoints: at the means of X's columns, if there are any."""
        return "cutpoint_c" if self.K else "cutpoint"

    @property
    def intercept_name(self) -> str:
        """The parameter of the intercept: at the means of X's columns, if there are any."""
        return "Intercept_c" if self.K else "Intercept"

    @property
    def width(self) -> int:
        """Number of columns of [1, X, y], the intercept's being there only if there is one."""
        return int(self.intercept) + self.K + 1


@dataclass(frozen=True, slots=True)
class Column:
    """A vector of the data block that is not a column of X: its identifier and what it holds."""

    name: str
    label: str
    term: int
    coefficient: int


@dataclass(frozen=True, slots=True)
class Extra:
    """
    What a program has on request.

    prior_only : no likelihood, so that draws are from the prior; in the conditional form
    log_lik, y_rep : each row's log density given the random effects, and a response like it, are generated
    """

    prior_only: bool = False
    log_lik: bool = False
    y_rep: bool = False


NOTHING_EXTRA = Extra()


@dataclass(frozen=True, slots=True)
class Program:
    """
    A Stan program.

    formula : as typed
    columns : covariates of random terms that X does not hold
    factors : in the formula's order
    crosses : pairs of factors, in the marginal form, that with most effects first
    sections : prior statements
    numbers : the numbers of the priors that stand in the data block
    parameters : in the order of the parameters block
    loglik_weights : whether the log density of each row has a factor
    data_form : whether the data are rows, or the sums over rows that the marginal form makes of them
    """

    formula: str
    form: Form
    n_rows: int
    response: str
    fixed: Fixed
    weights: bool
    offset: bool
    columns: tuple[Column, ...]
    factors: tuple[Factor, ...]
    crosses: tuple[Cross, ...]
    sections: tuple[Section, ...]
    numbers: tuple[Number, ...]
    parameters: tuple[Declaration, ...]
    likelihood: StanWords
    data_form: DataForm = "rows"
    family: str = "gaussian"
    link: str = "identity"
    extra: Extra = NOTHING_EXTRA
    loglik_weights: bool = False

    @property
    def structures(self) -> tuple[Covariance, ...]:
        """The covariance structures whose Cholesky factor a function of the program makes, one of each kind."""
        used = {b.covariance.name: b.covariance for f in self.factors for b in f.blocks if b.correlation}
        return tuple(used[name] for name in STRUCTURES if name in used and used[name].stan_function)

    @property
    def stan_version(self) -> tuple[int, int]:
        """The first version of Stan that reads it."""
        return SUM_TO_ZERO if any(factor.treatment == "sum_to_zero" for factor in self.factors) else EARLIEST

    @property
    def eliminated(self) -> tuple[Factor, ...]:
        """All factors that are integrated out."""
        return tuple(factor for factor in self.factors if factor.integrated)

    @property
    def integrated(self) -> Factor | None:
        """The factor that is integrated out level by level, if any: of several the one with most effects."""
        return self.crosses[0].left if self.crosses else next(iter(self.eliminated), None)

    @property
    def dense(self) -> tuple[Factor, ...]:
        """The smaller factors that are integrated out too, together, the larger one first."""
        return tuple(cross.right for cross in self.crosses if cross.left == self.integrated and cross.right.integrated)

    @property
    def own(self) -> tuple[str, ...]:
        """The parameters of the family beside its mean, in the order of their priors."""
        return tuple(parameter.name for parameter in FAMILIES[self.family].parameters)

    @property
    def sampled(self) -> tuple[Factor, ...]:
        """The factors whose random effects are parameters."""
        return tuple(factor for factor in self.factors if not factor.integrated)

    def means(self, factor: Factor) -> tuple[str, ...]:
        """
        Write what a factor's centred coefficients vary around: fixed effects where these are carried, else 0.

        Where that is the intercept, the means of all other sampled intercepts are added: the data tell these apart from
        it only by the priors, so one factor carries their sum.
        """
        slopes = "".join(f" - X_means[{i}] * b[{i}]" for i in factor.carried if i > 0)
        others = [other.mean_of_intercepts for other in self.sampled if other is not factor]
        intercept = " + ".join([self.fixed.intercept_name + slopes, *filter(None, others)])
        return tuple("0" if i < 0 else f"b[{i}]" if i else intercept for i in factor.carried)
